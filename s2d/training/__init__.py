"""How the animator is trained."""

from importlib import resources

# made in s2d.training.loggers; named here, where the command line reads them without loading torch
LOGGERS = ("csv", "wandb", "tensorboard")


def packaged_configs() -> list[str]:
    """Names of the configurations that come with the package, sorted.

    >>> "tiny" in packaged_configs()
    True
    """
    folder = resources.files("s2d.training") / "configs"
    return sorted(item.name.removesuffix(".yaml") for item in folder.iterdir() if item.name.endswith(".yaml"))
