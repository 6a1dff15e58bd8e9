from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ModelStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MODEL_STATUS_UNSPECIFIED: _ClassVar[ModelStatus]
    MODEL_STATUS_OPEN: _ClassVar[ModelStatus]
    MODEL_STATUS_TRAINING: _ClassVar[ModelStatus]
    MODEL_STATUS_SERVING: _ClassVar[ModelStatus]
    MODEL_STATUS_RETIRED: _ClassVar[ModelStatus]
    MODEL_STATUS_PAUSED: _ClassVar[ModelStatus]
MODEL_STATUS_UNSPECIFIED: ModelStatus
MODEL_STATUS_OPEN: ModelStatus
MODEL_STATUS_TRAINING: ModelStatus
MODEL_STATUS_SERVING: ModelStatus
MODEL_STATUS_RETIRED: ModelStatus
MODEL_STATUS_PAUSED: ModelStatus

class MlpClassifier(_message.Message):
    __slots__ = ("widths",)
    WIDTHS_FIELD_NUMBER: _ClassVar[int]
    widths: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, widths: _Optional[_Iterable[int]] = ...) -> None: ...

class MlpRegressor(_message.Message):
    __slots__ = ("widths",)
    WIDTHS_FIELD_NUMBER: _ClassVar[int]
    widths: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, widths: _Optional[_Iterable[int]] = ...) -> None: ...

class Decoder(_message.Message):
    __slots__ = ("vocab", "context", "width", "heads", "hidden", "layers", "positions", "tied")
    VOCAB_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEADS_FIELD_NUMBER: _ClassVar[int]
    HIDDEN_FIELD_NUMBER: _ClassVar[int]
    LAYERS_FIELD_NUMBER: _ClassVar[int]
    POSITIONS_FIELD_NUMBER: _ClassVar[int]
    TIED_FIELD_NUMBER: _ClassVar[int]
    vocab: int
    context: int
    width: int
    heads: int
    hidden: int
    layers: int
    positions: str
    tied: bool
    def __init__(self, vocab: _Optional[int] = ..., context: _Optional[int] = ..., width: _Optional[int] = ..., heads: _Optional[int] = ..., hidden: _Optional[int] = ..., layers: _Optional[int] = ..., positions: _Optional[str] = ..., tied: _Optional[bool] = ...) -> None: ...

class Dataset(_message.Message):
    __slots__ = ("rows_root", "train_rows", "test_rows", "features", "classes")
    ROWS_ROOT_FIELD_NUMBER: _ClassVar[int]
    TRAIN_ROWS_FIELD_NUMBER: _ClassVar[int]
    TEST_ROWS_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    CLASSES_FIELD_NUMBER: _ClassVar[int]
    rows_root: bytes
    train_rows: int
    test_rows: int
    features: int
    classes: int
    def __init__(self, rows_root: _Optional[bytes] = ..., train_rows: _Optional[int] = ..., test_rows: _Optional[int] = ..., features: _Optional[int] = ..., classes: _Optional[int] = ...) -> None: ...

class LearningRate(_message.Message):
    __slots__ = ("peak_q16", "warmup_rounds", "decay_rounds", "floor_ppm")
    PEAK_Q16_FIELD_NUMBER: _ClassVar[int]
    WARMUP_ROUNDS_FIELD_NUMBER: _ClassVar[int]
    DECAY_ROUNDS_FIELD_NUMBER: _ClassVar[int]
    FLOOR_PPM_FIELD_NUMBER: _ClassVar[int]
    peak_q16: int
    warmup_rounds: int
    decay_rounds: int
    floor_ppm: int
    def __init__(self, peak_q16: _Optional[int] = ..., warmup_rounds: _Optional[int] = ..., decay_rounds: _Optional[int] = ..., floor_ppm: _Optional[int] = ...) -> None: ...

class TrainingPolicy(_message.Message):
    __slots__ = ("rounds", "trainers_min", "units_max", "local_steps", "batch_rows", "learning_rate", "momentum_q16", "trace_every", "codec", "aggregation", "trim", "outer_learning_rate_q16", "outer_momentum_q16", "commit_blocks", "reveal_blocks", "audit_blocks", "kept_rounds")
    ROUNDS_FIELD_NUMBER: _ClassVar[int]
    TRAINERS_MIN_FIELD_NUMBER: _ClassVar[int]
    UNITS_MAX_FIELD_NUMBER: _ClassVar[int]
    LOCAL_STEPS_FIELD_NUMBER: _ClassVar[int]
    BATCH_ROWS_FIELD_NUMBER: _ClassVar[int]
    LEARNING_RATE_FIELD_NUMBER: _ClassVar[int]
    MOMENTUM_Q16_FIELD_NUMBER: _ClassVar[int]
    TRACE_EVERY_FIELD_NUMBER: _ClassVar[int]
    CODEC_FIELD_NUMBER: _ClassVar[int]
    AGGREGATION_FIELD_NUMBER: _ClassVar[int]
    TRIM_FIELD_NUMBER: _ClassVar[int]
    OUTER_LEARNING_RATE_Q16_FIELD_NUMBER: _ClassVar[int]
    OUTER_MOMENTUM_Q16_FIELD_NUMBER: _ClassVar[int]
    COMMIT_BLOCKS_FIELD_NUMBER: _ClassVar[int]
    REVEAL_BLOCKS_FIELD_NUMBER: _ClassVar[int]
    AUDIT_BLOCKS_FIELD_NUMBER: _ClassVar[int]
    KEPT_ROUNDS_FIELD_NUMBER: _ClassVar[int]
    rounds: int
    trainers_min: int
    units_max: int
    local_steps: int
    batch_rows: int
    learning_rate: LearningRate
    momentum_q16: int
    trace_every: int
    codec: str
    aggregation: str
    trim: int
    outer_learning_rate_q16: int
    outer_momentum_q16: int
    commit_blocks: int
    reveal_blocks: int
    audit_blocks: int
    kept_rounds: int
    def __init__(self, rounds: _Optional[int] = ..., trainers_min: _Optional[int] = ..., units_max: _Optional[int] = ..., local_steps: _Optional[int] = ..., batch_rows: _Optional[int] = ..., learning_rate: _Optional[_Union[LearningRate, _Mapping]] = ..., momentum_q16: _Optional[int] = ..., trace_every: _Optional[int] = ..., codec: _Optional[str] = ..., aggregation: _Optional[str] = ..., trim: _Optional[int] = ..., outer_learning_rate_q16: _Optional[int] = ..., outer_momentum_q16: _Optional[int] = ..., commit_blocks: _Optional[int] = ..., reveal_blocks: _Optional[int] = ..., audit_blocks: _Optional[int] = ..., kept_rounds: _Optional[int] = ...) -> None: ...

class AuditPolicy(_message.Message):
    __slots__ = ("rate_ppm", "mismatch_slash_ppm", "withhold_slash_ppm", "burn_ppm", "missed_rounds_max", "committee_max", "challenge_blocks", "audit_fee_ppm", "challenge_bond_ugrad")
    RATE_PPM_FIELD_NUMBER: _ClassVar[int]
    MISMATCH_SLASH_PPM_FIELD_NUMBER: _ClassVar[int]
    WITHHOLD_SLASH_PPM_FIELD_NUMBER: _ClassVar[int]
    BURN_PPM_FIELD_NUMBER: _ClassVar[int]
    MISSED_ROUNDS_MAX_FIELD_NUMBER: _ClassVar[int]
    COMMITTEE_MAX_FIELD_NUMBER: _ClassVar[int]
    CHALLENGE_BLOCKS_FIELD_NUMBER: _ClassVar[int]
    AUDIT_FEE_PPM_FIELD_NUMBER: _ClassVar[int]
    CHALLENGE_BOND_UGRAD_FIELD_NUMBER: _ClassVar[int]
    rate_ppm: int
    mismatch_slash_ppm: int
    withhold_slash_ppm: int
    burn_ppm: int
    missed_rounds_max: int
    committee_max: int
    challenge_blocks: int
    audit_fee_ppm: int
    challenge_bond_ugrad: int
    def __init__(self, rate_ppm: _Optional[int] = ..., mismatch_slash_ppm: _Optional[int] = ..., withhold_slash_ppm: _Optional[int] = ..., burn_ppm: _Optional[int] = ..., missed_rounds_max: _Optional[int] = ..., committee_max: _Optional[int] = ..., challenge_blocks: _Optional[int] = ..., audit_fee_ppm: _Optional[int] = ..., challenge_bond_ugrad: _Optional[int] = ...) -> None: ...

class Economy(_message.Message):
    __slots__ = ("round_reward_ugrad", "bond_ugrad")
    ROUND_REWARD_UGRAD_FIELD_NUMBER: _ClassVar[int]
    BOND_UGRAD_FIELD_NUMBER: _ClassVar[int]
    round_reward_ugrad: int
    bond_ugrad: int
    def __init__(self, round_reward_ugrad: _Optional[int] = ..., bond_ugrad: _Optional[int] = ...) -> None: ...

class InferencePolicy(_message.Message):
    __slots__ = ("hosts_ppm", "trainers_ppm", "creator_ppm", "owner_ppm", "auditors_ppm", "burn_ppm", "data_owner", "audit_ppm", "host_bond_ugrad", "wrong_slash_ppm", "withhold_slash_ppm", "burn_slash_ppm", "replicas_max", "audit_blocks")
    HOSTS_PPM_FIELD_NUMBER: _ClassVar[int]
    TRAINERS_PPM_FIELD_NUMBER: _ClassVar[int]
    CREATOR_PPM_FIELD_NUMBER: _ClassVar[int]
    OWNER_PPM_FIELD_NUMBER: _ClassVar[int]
    AUDITORS_PPM_FIELD_NUMBER: _ClassVar[int]
    BURN_PPM_FIELD_NUMBER: _ClassVar[int]
    DATA_OWNER_FIELD_NUMBER: _ClassVar[int]
    AUDIT_PPM_FIELD_NUMBER: _ClassVar[int]
    HOST_BOND_UGRAD_FIELD_NUMBER: _ClassVar[int]
    WRONG_SLASH_PPM_FIELD_NUMBER: _ClassVar[int]
    WITHHOLD_SLASH_PPM_FIELD_NUMBER: _ClassVar[int]
    BURN_SLASH_PPM_FIELD_NUMBER: _ClassVar[int]
    REPLICAS_MAX_FIELD_NUMBER: _ClassVar[int]
    AUDIT_BLOCKS_FIELD_NUMBER: _ClassVar[int]
    hosts_ppm: int
    trainers_ppm: int
    creator_ppm: int
    owner_ppm: int
    auditors_ppm: int
    burn_ppm: int
    data_owner: str
    audit_ppm: int
    host_bond_ugrad: int
    wrong_slash_ppm: int
    withhold_slash_ppm: int
    burn_slash_ppm: int
    replicas_max: int
    audit_blocks: int
    def __init__(self, hosts_ppm: _Optional[int] = ..., trainers_ppm: _Optional[int] = ..., creator_ppm: _Optional[int] = ..., owner_ppm: _Optional[int] = ..., auditors_ppm: _Optional[int] = ..., burn_ppm: _Optional[int] = ..., data_owner: _Optional[str] = ..., audit_ppm: _Optional[int] = ..., host_bond_ugrad: _Optional[int] = ..., wrong_slash_ppm: _Optional[int] = ..., withhold_slash_ppm: _Optional[int] = ..., burn_slash_ppm: _Optional[int] = ..., replicas_max: _Optional[int] = ..., audit_blocks: _Optional[int] = ...) -> None: ...

class FieldRange(_message.Message):
    __slots__ = ("field", "min", "max")
    FIELD_FIELD_NUMBER: _ClassVar[int]
    MIN_FIELD_NUMBER: _ClassVar[int]
    MAX_FIELD_NUMBER: _ClassVar[int]
    field: str
    min: int
    max: int
    def __init__(self, field: _Optional[str] = ..., min: _Optional[int] = ..., max: _Optional[int] = ...) -> None: ...

class FieldChoices(_message.Message):
    __slots__ = ("field", "values")
    FIELD_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    field: str
    values: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, field: _Optional[str] = ..., values: _Optional[_Iterable[str]] = ...) -> None: ...

class PolicyLimits(_message.Message):
    __slots__ = ("ranges", "choices")
    RANGES_FIELD_NUMBER: _ClassVar[int]
    CHOICES_FIELD_NUMBER: _ClassVar[int]
    ranges: _containers.RepeatedCompositeFieldContainer[FieldRange]
    choices: _containers.RepeatedCompositeFieldContainer[FieldChoices]
    def __init__(self, ranges: _Optional[_Iterable[_Union[FieldRange, _Mapping]]] = ..., choices: _Optional[_Iterable[_Union[FieldChoices, _Mapping]]] = ...) -> None: ...

class ModelSpec(_message.Message):
    __slots__ = ("name", "numerics", "mlp_classifier", "dataset", "init_seed", "training", "audit", "economy", "invited_trainers", "limits", "mlp_regressor", "decoder", "inference")
    NAME_FIELD_NUMBER: _ClassVar[int]
    NUMERICS_FIELD_NUMBER: _ClassVar[int]
    MLP_CLASSIFIER_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    INIT_SEED_FIELD_NUMBER: _ClassVar[int]
    TRAINING_FIELD_NUMBER: _ClassVar[int]
    AUDIT_FIELD_NUMBER: _ClassVar[int]
    ECONOMY_FIELD_NUMBER: _ClassVar[int]
    INVITED_TRAINERS_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    MLP_REGRESSOR_FIELD_NUMBER: _ClassVar[int]
    DECODER_FIELD_NUMBER: _ClassVar[int]
    INFERENCE_FIELD_NUMBER: _ClassVar[int]
    name: str
    numerics: str
    mlp_classifier: MlpClassifier
    dataset: Dataset
    init_seed: bytes
    training: TrainingPolicy
    audit: AuditPolicy
    economy: Economy
    invited_trainers: _containers.RepeatedScalarFieldContainer[str]
    limits: PolicyLimits
    mlp_regressor: MlpRegressor
    decoder: Decoder
    inference: InferencePolicy
    def __init__(self, name: _Optional[str] = ..., numerics: _Optional[str] = ..., mlp_classifier: _Optional[_Union[MlpClassifier, _Mapping]] = ..., dataset: _Optional[_Union[Dataset, _Mapping]] = ..., init_seed: _Optional[bytes] = ..., training: _Optional[_Union[TrainingPolicy, _Mapping]] = ..., audit: _Optional[_Union[AuditPolicy, _Mapping]] = ..., economy: _Optional[_Union[Economy, _Mapping]] = ..., invited_trainers: _Optional[_Iterable[str]] = ..., limits: _Optional[_Union[PolicyLimits, _Mapping]] = ..., mlp_regressor: _Optional[_Union[MlpRegressor, _Mapping]] = ..., decoder: _Optional[_Union[Decoder, _Mapping]] = ..., inference: _Optional[_Union[InferencePolicy, _Mapping]] = ...) -> None: ...

class Model(_message.Message):
    __slots__ = ("id", "admin", "spec", "status", "rounds_closed", "weights_root", "escrow_ugrad", "created_height", "paid_ugrad", "spec_version", "spec_height", "resumed_status", "paused_by", "offered_admin")
    ID_FIELD_NUMBER: _ClassVar[int]
    ADMIN_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    ROUNDS_CLOSED_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_ROOT_FIELD_NUMBER: _ClassVar[int]
    ESCROW_UGRAD_FIELD_NUMBER: _ClassVar[int]
    CREATED_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    PAID_UGRAD_FIELD_NUMBER: _ClassVar[int]
    SPEC_VERSION_FIELD_NUMBER: _ClassVar[int]
    SPEC_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    RESUMED_STATUS_FIELD_NUMBER: _ClassVar[int]
    PAUSED_BY_FIELD_NUMBER: _ClassVar[int]
    OFFERED_ADMIN_FIELD_NUMBER: _ClassVar[int]
    id: int
    admin: str
    spec: ModelSpec
    status: ModelStatus
    rounds_closed: int
    weights_root: bytes
    escrow_ugrad: int
    created_height: int
    paid_ugrad: int
    spec_version: int
    spec_height: int
    resumed_status: ModelStatus
    paused_by: str
    offered_admin: str
    def __init__(self, id: _Optional[int] = ..., admin: _Optional[str] = ..., spec: _Optional[_Union[ModelSpec, _Mapping]] = ..., status: _Optional[_Union[ModelStatus, str]] = ..., rounds_closed: _Optional[int] = ..., weights_root: _Optional[bytes] = ..., escrow_ugrad: _Optional[int] = ..., created_height: _Optional[int] = ..., paid_ugrad: _Optional[int] = ..., spec_version: _Optional[int] = ..., spec_height: _Optional[int] = ..., resumed_status: _Optional[_Union[ModelStatus, str]] = ..., paused_by: _Optional[str] = ..., offered_admin: _Optional[str] = ...) -> None: ...

class SpecVersion(_message.Message):
    __slots__ = ("model_id", "version", "spec", "height")
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    model_id: int
    version: int
    spec: ModelSpec
    height: int
    def __init__(self, model_id: _Optional[int] = ..., version: _Optional[int] = ..., spec: _Optional[_Union[ModelSpec, _Mapping]] = ..., height: _Optional[int] = ...) -> None: ...

class PendingSpec(_message.Message):
    __slots__ = ("model_id", "spec")
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    model_id: int
    spec: ModelSpec
    def __init__(self, model_id: _Optional[int] = ..., spec: _Optional[_Union[ModelSpec, _Mapping]] = ...) -> None: ...

class Hold(_message.Message):
    __slots__ = ("model_id", "round", "count", "is_expired")
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    IS_EXPIRED_FIELD_NUMBER: _ClassVar[int]
    model_id: int
    round: int
    count: int
    is_expired: bool
    def __init__(self, model_id: _Optional[int] = ..., round: _Optional[int] = ..., count: _Optional[int] = ..., is_expired: _Optional[bool] = ...) -> None: ...

class Params(_message.Message):
    __slots__ = ("audit_price_ugrad_per_gma",)
    AUDIT_PRICE_UGRAD_PER_GMA_FIELD_NUMBER: _ClassVar[int]
    audit_price_ugrad_per_gma: int
    def __init__(self, audit_price_ugrad_per_gma: _Optional[int] = ...) -> None: ...

class Weights(_message.Message):
    __slots__ = ("model_id", "round", "root", "chunk_bytes", "chunk_count", "total_bytes", "height", "momentum_root")
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    ROOT_FIELD_NUMBER: _ClassVar[int]
    CHUNK_BYTES_FIELD_NUMBER: _ClassVar[int]
    CHUNK_COUNT_FIELD_NUMBER: _ClassVar[int]
    TOTAL_BYTES_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    MOMENTUM_ROOT_FIELD_NUMBER: _ClassVar[int]
    model_id: int
    round: int
    root: bytes
    chunk_bytes: int
    chunk_count: int
    total_bytes: int
    height: int
    momentum_root: bytes
    def __init__(self, model_id: _Optional[int] = ..., round: _Optional[int] = ..., root: _Optional[bytes] = ..., chunk_bytes: _Optional[int] = ..., chunk_count: _Optional[int] = ..., total_bytes: _Optional[int] = ..., height: _Optional[int] = ..., momentum_root: _Optional[bytes] = ...) -> None: ...
