# drift
from evals.services import drift as drift
