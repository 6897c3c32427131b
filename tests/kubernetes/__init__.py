"""Manifests for Kubernetes, compared with the schemas of Kubernetes and KEDA."""
