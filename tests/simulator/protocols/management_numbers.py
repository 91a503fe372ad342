"""What a management request may hold, number by number, written down from Chromium's published definitions.

An oracle for our own definitions and what is sent by them: it knows only numbers, kinds and nesting, and was not made
from our .proto. Kinds: `n` a number (wire type 0), `s` text, `b` bytes, or the name of a message.
"""

from __future__ import annotations

from collections.abc import Iterator

from protobuf_by_hand import fields

REQUEST = "DeviceManagementRequest"
_DEFINED: dict[str, str] = {
    REQUEST: (
        "1:DeviceRegisterRequest 2:Nothing 3:DevicePolicyRequest 4:DeviceStatusReportRequest"
        " 5:SessionStatusReportRequest 6:DeviceAutoEnrollmentRequest 7:DeviceCertUploadRequest"
        " 8:DeviceServiceApiAccessRequest 9:DeviceStateRetrievalRequest 10:DeviceStateKeyUpdateRequest"
        " 13:DeviceRemoteCommandRequest 14:Nothing 15:DeviceAttributeUpdateRequest 16:GcmIdUpdateRequest"
        " 18:CertificateBasedDeviceRegisterRequest 23:RegisterBrowserRequest 27:PolicyValidationReportRequest"
        " 28:DeviceInitialEnrollmentStateRequest 33:ChromeOsUserReportRequest 37:PrivateSetMembershipRequest"
        " 39:UploadEuiccInfoRequest 41:TokenBasedDeviceRegisterRequest 42:FmRegistrationTokenUploadRequest"
    ),
    "Nothing": "",
    "DeviceRegisterRequest": (
        "1:n 2:n 3:s 4:s 6:s 7:b 8:n 9:LicenseType 11:n 12:s 13:s 14:s 15:s 16:s 17:s"
        " 18:DeviceRegisterIdentification 19:n 20:n 22:s 23:SmbiosInfo 24:DeviceInfo"
    ),
    "LicenseType": "1:n",
    "DeviceRegisterIdentification": "1:s",
    "SmbiosInfo": "1:s 2:s 3:s 4:s",
    "DeviceInfo": "1:n",
    "TokenBasedDeviceRegisterRequest": "1:DeviceRegisterRequest",
    "CertificateBasedDeviceRegisterRequest": "1:SignedData",
    "SignedData": "1:b 2:b 3:n",
    "RegisterBrowserRequest": "1:s 2:s 3:s 4:BrowserDeviceIdentifier 5:s 6:s",
    "BrowserDeviceIdentifier": "1:s 2:s 4:s",
    "DevicePolicyRequest": "3:PolicyFetchRequest 4:n",
    "PolicyFetchRequest": (
        "1:s 2:n 3:n 4:n 6:s 7:n 8:b 9:s 10:s 12:s 13:BrowserDeviceIdentifier 14:ExtensionIdAndVersion 15:DeviceInfo"
    ),
    "ExtensionIdAndVersion": "1:s 2:s",
    "DeviceStateKeyUpdateRequest": "1:b",
    "PolicyValidationReportRequest": "1:s 2:s 3:n 4:PolicyValueValidationIssue 5:n",
    "PolicyValueValidationIssue": "1:s 2:n 3:s",
    "DeviceAutoEnrollmentRequest": "1:n 2:n 3:n",
    "DeviceStateRetrievalRequest": "1:b 2:s 3:s 4:s",
    "DeviceInitialEnrollmentStateRequest": "1:s 2:s 3:s",
    "PrivateSetMembershipRequest": "1:PrivateSetMembershipRlweRequest",
    "PrivateSetMembershipRlweRequest": "1:b 2:b",
    "DeviceServiceApiAccessRequest": "1:s 2:s 3:n",
    "DeviceCertUploadRequest": "1:b 2:n 3:b",
    "FmRegistrationTokenUploadRequest": "1:s 2:n 3:n 4:n 5:n",
    "GcmIdUpdateRequest": "1:s",
    "DeviceAttributeUpdateRequest": "1:s 2:s",
    "UploadEuiccInfoRequest": "1:n 2:ESimProfileInfo 3:n",
    "ESimProfileInfo": "1:s 2:s 3:s 4:s",
    "DeviceRemoteCommandRequest": "1:n 2:RemoteCommandResult 3:n 4:n 5:s 6:n",
    "RemoteCommandResult": "1:n 2:n 3:n 4:s",
    "DeviceStatusReportRequest": (
        "1:s 2:s 3:s 5:s 6:ActiveTimePeriod 8:NetworkInterface 9:DeviceUser 10:VolumeInfo 11:NetworkState 12:n 14:n"
        " 15:n 16:CPUTempInfo 17:OsUpdateStatus 18:AppStatus 19:n 21:TpmVersionInfo 22:n 23:TpmStatusInfo 24:n"
        " 25:PowerStatus 26:StorageStatus 28:SystemStatus 29:StatefulPartitionInfo 30:CpuUtilizationInfo"
        " 31:SystemFreeRamInfo 32:CpuInfo 35:TimezoneInfo 36:MemoryInfo 41:SmbiosInfo 44:BootInfo 47:n"
    ),
    "TimePeriod": "1:n 2:n",
    "ActiveTimePeriod": "1:TimePeriod 2:n 3:s 4:n",
    "NetworkInterface": "1:n 2:s 3:s 4:s 5:s 6:s 7:s 8:s",
    "NetworkState": "1:s 2:n 3:n 4:s 5:s",
    "DeviceUser": "1:n 2:s",
    "VolumeInfo": "1:s 2:n 3:n",
    "CPUTempInfo": "1:s 2:n 3:n",
    "CpuUtilizationInfo": "1:n 2:n",
    "SystemFreeRamInfo": "1:n 2:n",
    "OsUpdateStatus": "1:n 2:s 3:s 4:n 5:n",
    "AppStatus": "1:s 2:s 3:s 4:n 5:s",
    "TpmVersionInfo": "1:n 2:n 3:n 4:n 5:n 6:s 7:n 8:s 9:s",
    "TpmStatusInfo": "1:n 2:n 3:n 4:n 5:n 6:n 7:n 8:n 9:n 11:n",
    "PowerStatus": "1:n 2:BatteryInfo",
    "BatteryInfo": "1:s 2:s 3:s 4:n 5:n 6:n 7:BatterySample 9:n 10:s 11:s",
    "BatterySample": "1:n 2:n 3:n 4:n 5:n 6:n 7:n 8:s",
    "StorageStatus": "1:DiskInfo 2:DiskLifetimeEstimation",
    "DiskInfo": "1:s 2:s 3:s 4:n 5:s 6:s 7:s 8:n 9:n 10:n 11:n 12:n 13:n 26:n",
    "DiskLifetimeEstimation": "1:n 2:n",
    "StatefulPartitionInfo": "1:n 2:n 3:s 4:s",
    "SystemStatus": "1:s 2:s 3:s 4:s 5:s 6:s 7:s 8:n 9:s 10:s",
    "CpuInfo": "1:s 2:n 3:n",
    "MemoryInfo": "1:n 2:n 3:n 4:n",
    "TimezoneInfo": "1:s 2:s",
    "BootInfo": "1:n 2:n",
    "SessionStatusReportRequest": "4:s 5:AppStatus 8:s 9:s 11:AppInfo",
    "AppInfo": "1:s 2:n 3:s 4:n 5:n 7:s 8:TimePeriod",
    "ChromeOsUserReportRequest": "1:BrowserReport",
    "BrowserReport": "1:s 2:n 3:s 6:ChromeUserProfileInfo 8:s 9:n",
    "ChromeUserProfileInfo": "1:s 2:s 3:n 9:PolicyFetchTimestamp 11:Affiliation 12:s",
    "PolicyFetchTimestamp": "2:n",
    "Affiliation": "1:n 2:n",
}
NUMBERS: dict[str, dict[int, str]] = {
    name: {int(number): kind for number, _, kind in (entry.partition(":") for entry in said.split())}
    for name, said in _DEFINED.items()
}


def leaves(body: bytes, message: str = REQUEST, path: str = "") -> Iterator[tuple[str, int | bytes]]:
    """Each value of a message with the path of numbers that leads to it, and each empty message.

    Raises: ValueError for a number that the message does not define, one of another kind, and text that is not UTF-8.
    """
    empty = True
    for number, wire_type, value in fields(body):
        empty = False
        here = f"{path}.{number}".lstrip(".")
        kind = NUMBERS[message].get(number)
        if kind is None:
            raise ValueError(f"{message} has no field {number} ({here})")
        if wire_type != (0 if kind == "n" else 2):
            raise ValueError(f"{here} has wire type {wire_type}, which {kind!r} has not")
        if kind in NUMBERS:
            assert isinstance(value, bytes)
            yield from leaves(value, kind, here)
        else:
            if kind == "s":
                assert isinstance(value, bytes)
                value.decode("utf-8")
            yield here, value
    if empty:
        yield path, b""
