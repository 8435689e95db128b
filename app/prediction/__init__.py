"""Prediction: preprocesses pictures, predicts their digits and explains predictions. Knows no HTTP."""
