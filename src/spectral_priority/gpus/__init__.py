"""Which GPUs of this machine a program uses, where no scheduler says so. Imports no torch."""
