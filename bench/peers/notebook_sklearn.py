"""The notebook's network in scikit-learn: one pass of partial_fit over all images, in batches of 100."""
import warnings

import numpy as np
import sklearn
from sklearn.neural_network import MLPClassifier

from peer import BATCH, load, median_time, report

warnings.simplefilter("ignore")
x, labels = load("train")
net = MLPClassifier((50, 100), activation="logistic", solver="sgd", batch_size=BATCH, learning_rate_init=0.5,
                    momentum=0, alpha=0, shuffle=False, random_state=0)
net.partial_fit(x[:BATCH], labels[:BATCH], classes=np.arange(10))
report(f"scikit-learn {sklearn.__version__}", {"train_notebook": median_time(lambda: net.partial_fit(x, labels), 1)})
