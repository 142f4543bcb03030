"""Kubernetes: Deployments, Services, claims, Gateway API routes, Kueue queues, Jobs."""
