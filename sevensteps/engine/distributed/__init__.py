"""One network trained by several processes: the group they form, data parallel and fully
sharded.
"""
