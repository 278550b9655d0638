"""What each part of the animator is worth."""

SWITCHES: dict[str, dict[str, object]] = {
    "no-prior": {"model.animator.prior": False},
    "no-pupils": {"model.animator.pupils": False},
    "no-residual": {"model.animator.residual": False},
    "no-masks": {"model.animator.masks": False},
    "raw-landmarks": {"data.landmarks": "raw"},
}
