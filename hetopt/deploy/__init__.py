"""From a plan to what executes it: files that Kubernetes, Ray Serve, Triton and others take."""

from hetopt.deploy.write import deploy

__all__ = ["deploy"]
