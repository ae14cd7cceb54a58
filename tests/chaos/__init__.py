"""Chaos: faults at seeded moments of an experiment, and the comparison with the same experiment left alone.

processes.py    finds processes by their environment and by what Ray calls them, and ends them
cluster.py      a Ray cluster of several nodes on this machine; nodes die and are added
outages.py      an object store that goes away for a while
hook/           counts training steps inside the workers, without a line in the program
counting.py     reads those counts
injector.py     which fault comes when: a function of the seed
setup.py        carries a fault out
campaign.py     starts the experiment, injects, starts it again, until it is finished
outcome.py      what a ledger holds, and how two differ
laboratory.py   a cluster and a store to run it on, left alone or disturbed
leftovers.py    what is left on the cluster
verdict.py      whether all is as it should be; table.py the figures
study.py        the experiment
__main__.py     `python -m chaos`, which is `make chaos`
"""
