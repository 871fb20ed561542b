"""The proof that a layer's modules can be imported where Lambda would import them."""
