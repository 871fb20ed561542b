"""The plugins of Hatch: they translate and delegate."""
