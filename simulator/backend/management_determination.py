"""State determination: whether, and how, a machine that nobody has set up is to be enrolled.

Nothing is registered here, and nothing changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from simulator.backend.management_calls import Call, Refusal, good_text
from simulator.backend.management_clients import Clients
from simulator.backend.management_terms import Terms
from simulator.protocols import management_pb2 as pb

Answer = pb.DeviceManagementResponse


class Determination:
    """The part of the service that a machine asks before it enrolls.

    Args:
        clients: the registrations. terms: on which devices are enrolled. domain: the city's.

    Attributes:
        kinds: `request` parameter -> what answers it.
    """

    def __init__(self, clients: Clients, terms: Terms, domain: str) -> None:
        self._clients, self._terms, self._domain = clients, terms, domain
        self.kinds: Mapping[str, Callable[[Call], Answer]] = {
            "enterprise_check": self._enterprise_check,
            "device_state_retrieval": self._state_retrieval,
            "device_initial_enrollment_state": self._initial_state,
        }

    def _enterprise_check(self, call: Call) -> Answer:
        call.require("auto_enrollment_request")
        asked = call.message.auto_enrollment_request
        modulus, remainder = asked.modulus, asked.remainder
        if modulus < 1 or modulus & (modulus - 1) or not 0 <= remainder < modulus:
            raise Refusal(400, "the modulus must be a power of two, the remainder smaller")
        message = Answer()
        if self._terms.hash_modulus not in (0, modulus):
            message.auto_enrollment_response.expected_modulus = self._terms.hash_modulus
            return message
        message.auto_enrollment_response.hashes.extend(self._clients.hashes_in(modulus, remainder))
        message.auto_enrollment_response.SetInParent()
        return message

    def _state_retrieval(self, call: Call) -> Answer:
        """A machine that was enrolled comes back to us, or stays locked; for any other see _fill_initial_state."""
        call.require("device_state_retrieval_request")
        asked = call.message.device_state_retrieval_request
        message = Answer()
        state = message.device_state_retrieval_response
        known = self._clients.of_state_key(asked.server_backed_state_key)
        if known is None:
            state.restore_mode = pb.DeviceStateRetrievalResponse.RESTORE_MODE_NONE
            self._fill_initial_state(state.initial_state_response, asked)
            return message
        state.management_domain = self._domain
        if known.disabled_message is not None:
            state.restore_mode = state.RESTORE_MODE_DISABLED
            state.disabled_state.message = known.disabled_message
        elif self._terms.zero_touch:
            state.restore_mode = state.RESTORE_MODE_REENROLLMENT_ZERO_TOUCH
        else:
            state.restore_mode = state.RESTORE_MODE_REENROLLMENT_ENFORCED
        return message

    def _initial_state(self, call: Call) -> Answer:
        call.require("device_initial_enrollment_state_request")
        asked = call.message.device_initial_enrollment_state_request
        message = Answer()
        self._fill_initial_state(message.device_initial_enrollment_state_response, asked)
        return message

    def _fill_initial_state(
        self,
        state: pb.DeviceInitialEnrollmentStateResponse,
        asked: pb.DeviceStateRetrievalRequest | pb.DeviceInitialEnrollmentStateRequest,
    ) -> None:
        """The city wants every machine of its own that can name itself; by token where the machine has one."""
        serial = good_text(asked.serial_number)
        if not serial or not serial.startswith(self._terms.serial_prefix) or not good_text(asked.brand_code):
            state.initial_enrollment_mode = state.INITIAL_ENROLLMENT_MODE_NONE
            return
        if good_text(asked.enrollment_token) == self._clients.enrollment_token:
            state.initial_enrollment_mode = state.INITIAL_ENROLLMENT_MODE_TOKEN_ENROLLMENT_ENFORCED
        elif self._terms.zero_touch:
            state.initial_enrollment_mode = state.INITIAL_ENROLLMENT_MODE_ZERO_TOUCH_ENFORCED
        else:
            state.initial_enrollment_mode = state.INITIAL_ENROLLMENT_MODE_ENROLLMENT_ENFORCED
        state.management_domain = self._domain
        state.assigned_upgrade_type = state.ASSIGNED_UPGRADE_TYPE_CHROME_ENTERPRISE
        if self._terms.packaged_licenses:
            state.is_license_packaged_with_device = True
            state.license_packaging_sku = state.CHROME_ENTERPRISE
