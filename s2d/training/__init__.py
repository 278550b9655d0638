"""How the animator is trained."""

# made in s2d.training.loggers; named here, where the command line reads them without loading torch
LOGGERS = ("csv", "wandb", "tensorboard")
