"""
* InferenceError
  - RequestTooLarge        413  the body has more bytes than we read
    · TooManyRows          413  more rows than one request may have
  - UnknownEncoding        415  a Content-Encoding that we do not unpack
  - UnknownShape           422  neither {"input": …} nor {"inputs": […]}
  - UnknownTarget          422  ?version= or ?alias= is not one
  - InvalidInput           422  a row does not fit the model's signature
  - ModelRaised            422  the model's own exception on these rows
  - ModelTimedOut          504  the model did not answer within its time
  - ModelCrashed           503  the model's process died of it, twice
  - ModelParked            503  it died so often that it has to wait
  - ModelNotLoadable       503  the model's process refused to load it
  - ModelChanged           503  it does not answer its golden examples as it did
  - RunnerUnavailable      503  the sandbox does not answer; nothing wrong with the model
  - BadReply               502  the model answered something else than asked
  - SpoolFull              503  the prediction cannot be logged, so it is not given
"""

from http import HTTPStatus

from mlplatform.foundation.errors import Problem


class InferenceError(Problem):
    pass


class RequestTooLarge(InferenceError):
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    code = "request_too_large"
    title = "The request is too large"


class TooManyRows(RequestTooLarge):
    code = "too_many_rows"
    title = "The request has too many rows"


class UnknownEncoding(InferenceError):
    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    code = "unknown_encoding"
    title = "The request's encoding is not read here"


class UnknownShape(InferenceError):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "unknown_shape"
    title = "The request is not of a shape we know"


class UnknownTarget(InferenceError):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "unknown_target"
    title = "The version or alias asked for cannot be one"


class InvalidInput(InferenceError):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "invalid_input"
    title = "The input does not fit the model"


class ModelRaised(InferenceError):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "model_raised"
    title = "The model failed on this input"


class ModelTimedOut(InferenceError):
    status = HTTPStatus.GATEWAY_TIMEOUT
    code = "model_timed_out"
    title = "The model did not answer in time"


class ModelCrashed(InferenceError):
    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "model_crashed"
    title = "The model's process died"


class ModelParked(InferenceError):
    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "model_parked"
    title = "The model keeps crashing"


class ModelChanged(InferenceError):
    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "model_changed"
    title = "The model does not answer as it did"


class ModelNotLoadable(InferenceError):
    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "model_not_loadable"
    title = "The model cannot be loaded"


class RunnerUnavailable(InferenceError):
    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "runner_unavailable"
    title = "The sandbox does not answer"


class BadReply(InferenceError):
    status = HTTPStatus.BAD_GATEWAY
    code = "bad_reply"
    title = "The model's answer is not usable"


class SpoolFull(InferenceError):
    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "log_unavailable"
    title = "The prediction cannot be logged"
