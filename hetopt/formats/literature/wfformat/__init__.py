"""Workflow traces of WfCommons."""
