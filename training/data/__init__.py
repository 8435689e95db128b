"""The data that a network is trained and tested on: MNIST, synthetic digits, pictures, feedback and augmentation."""
