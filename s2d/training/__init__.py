"""How the animator is trained."""

LOGGERS = (
    "csv",
    "wandb",
    "tensorboard",
)  # made by s2d.training.loggers; here, where the command line reads them quickly
