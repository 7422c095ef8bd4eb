"""The interactive part of the report: profiles at any checkpoint, for tasks and recipes that the reader chooses."""
