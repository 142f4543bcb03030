"""Steps that make a plan better and keep its order: slack, modes, prices."""
