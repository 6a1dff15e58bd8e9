from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class QueryGasPriceRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class QueryGasPriceResponse(_message.Message):
    __slots__ = ("gas_price_ppm",)
    GAS_PRICE_PPM_FIELD_NUMBER: _ClassVar[int]
    gas_price_ppm: int
    def __init__(self, gas_price_ppm: _Optional[int] = ...) -> None: ...
