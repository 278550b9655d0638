"""The whole path on a built-in sample: `s2d demo`."""
