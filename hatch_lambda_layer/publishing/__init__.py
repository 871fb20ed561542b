"""Publishing: built layers to layer versions. Nothing of a build imports anything of it."""
