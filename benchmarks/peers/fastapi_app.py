"""What many teams write by hand: FastAPI and joblib, nothing else. MODEL names the file."""

import os

import joblib
import pandas as pd
from fastapi import FastAPI
from pydantic import BaseModel

model = joblib.load(os.environ["MODEL"])
app = FastAPI()


class Rows(BaseModel):
    inputs: list[dict]


@app.post("/predict")
def predict(rows: Rows) -> dict:
    table = pd.DataFrame(rows.inputs)
    return {
        "predictions": model.predict(table).tolist(),
        "probabilities": model.predict_proba(table).tolist(),
    }
