"""The functions of `import hatch_lambda_layer`: they translate and delegate."""
