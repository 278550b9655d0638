"""How good an animator is."""

# worked out in s2d.evaluation.run; named here, where the command line reads them without loading torch
PROTOCOLS = ("same", "cross", "temporal")
