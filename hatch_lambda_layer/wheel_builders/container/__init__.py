"""The wheel builder that works in Lambda's build image, through a container engine."""
