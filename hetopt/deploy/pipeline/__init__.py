"""Plans of models as pipelines of submodels: how they are made, and how they are executed."""
