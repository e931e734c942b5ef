"""Questions put to a copy of the network when its training is over: a file for each.

Each gives the numbers of its answer, or None where it could not be asked; why is then in
`case.not_judged`. None of them judges: that is for the conditions.
"""
