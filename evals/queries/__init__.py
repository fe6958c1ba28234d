# drift
from evals.queries import drift as drift
