"""What a careful reviewer asks of a data set before believing a frequency result.

`sample` looks at images once; each other file asks one question and returns `Finding`s beside its numbers; `whole` puts
them together, and `page` shows them.
"""
