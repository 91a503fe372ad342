"""Who may be managed: registration in its several ways, and what is asked beside it.

Whose access token it is, another service knows; what a machine asks first, and a registered client, other modules.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from simulator.backend.management_calls import Call, Refusal, good_text
from simulator.backend.management_clients import BROWSER, DEVICE, USER, Client, Clients
from simulator.backend.management_terms import Terms
from simulator.protocols import management_pb2 as pb
from simulator.protocols.attestation import Authority, NotAttested
from simulator.protocols.policy import domain_of

Answer = pb.DeviceManagementResponse
Register = pb.DeviceRegisterRequest

# What the city has not set up: identities of others, private set membership (whose answers need the real
# cryptography), certificates beyond enrollment, Active Directory.
_NOT_OFFERED = (
    "register_profile",
    "enterprise_psm_check",
    "client_cert_provisioning",
    "generate_chrome_profile_challenge",
    "active_directory_enroll_play_user",
    "active_directory_play_activity",
    "active_directory_user_signin",
)


class Enrollment:
    """The part of the service that clients meet before they have a DM token.

    Args:
        clients: the registrations. terms: on which devices are enrolled.
        domain: the city's. affiliation_id: of its users and devices.
        who_is: whose access token this is (token, Unix seconds).

    Attributes:
        kinds: `request` parameter -> what answers it.
    """

    def __init__(
        self,
        clients: Clients,
        terms: Terms,
        domain: str,
        affiliation_id: str,
        who_is: Callable[[str, float], str | None],
    ) -> None:
        self._clients, self._terms, self._domain = clients, terms, domain
        self._affiliation_id, self._who_is = affiliation_id, who_is
        self._authority = Authority(clients.attestation_secret)
        self.kinds: Mapping[str, Callable[[Call], Answer]] = {
            **dict.fromkeys(_NOT_OFFERED, self._not_offered),
            "register": self._register,
            "certificate_based_register": self._register_by_attestation,
            "token_based_register": self._register_by_token,
            "register_browser": self._register_browser,
            "register_policy_agent": self._register_browser,
            "unregister": self._unregister,
            "check_user_account": self._check_user_account,
            "check_android_management": self._check_android_management,
            "promotion_eligibility": self._promotion_eligibility,
            "device_attribute_update_permission": self._attribute_permission,
            "device_attribute_update": self._attribute_update,
        }

    def _not_offered(self, call: Call) -> Answer:
        raise Refusal(403, f"{call.kind} is not set up for {self._domain}")

    def _user(self, call: Call) -> str:
        """Whose access token the call carries. Raises: Refusal 401 without a good one, 403 for another domain's; 417
        where that one would enroll a machine that has its own licence."""
        # The identity service takes any text; only ASCII can be a token of its.
        user = self._who_is(call.oauth_token, call.now_ms / 1000) if call.oauth_token.isascii() else None
        if not call.oauth_token or user is None:
            raise Refusal(401, "no valid access token")
        if domain_of(user) != self._domain:
            enrolls = call.message.register_request.type == Register.DEVICE
            raise Refusal(
                417 if enrolls and self._terms.packaged_licenses else 403, f"{user} is not managed by {self._domain}"
            )
        return user

    # ------------------------------------------------------------------------------------------------- registration

    def _register(self, call: Call) -> Answer:
        user = self._user(call)
        call.require("register_request")
        asked, message = call.message.register_request, Answer()
        if asked.type == Register.USER:
            client = self._clients.register(
                device_id=call.device_id, kind=USER, username=user, serial="", machine_name=""
            )
            self._fill(message.register_response, client)
            message.register_response.user_affiliation_ids.append(self._affiliation_id)
        elif asked.type == Register.DEVICE:
            self._fill(message.register_response, self._register_device(call, asked, user))
        else:
            raise Refusal(400, f"cannot register type {asked.type}")
        return message

    def _register_by_token(self, call: Call) -> Answer:
        self._require_enrollment_token(call)
        call.require("token_based_device_register_request")
        asked = call.message.token_based_device_register_request.device_register_request
        message = Answer()
        given = message.token_based_device_register_response.device_register_response
        self._fill(given, self._register_device(call, asked, f"enroller@{self._domain}"))
        return message

    def _register_by_attestation(self, call: Call) -> Answer:
        """A machine that speaks for itself; 410 sends one that the city does not expect to a person (Chromium
        enrollment_screen.cc, OnEnrollmentError)."""
        call.require("certificate_based_register_request")
        try:
            attested = self._authority.check(
                call.message.certificate_based_register_request.signed_request, call.now_ms
            )
        except NotAttested as fault:
            raise Refusal(401, str(fault)) from None
        asked = attested.device_register_request
        if not good_text(asked.machine_id).startswith(self._terms.serial_prefix):
            raise Refusal(410, "no machine of this serial number is expected")
        message = Answer()
        self._fill(message.register_response, self._register_device(call, asked, f"enroller@{self._domain}"))
        return message

    def _register_device(self, call: Call, asked: pb.DeviceRegisterRequest, user: str) -> Client:
        serial = good_text(asked.machine_id)
        self._admit(asked, serial)
        client = self._clients.register(
            device_id=call.device_id,
            kind=DEVICE,
            username=user,
            serial=serial,
            machine_name=f"{good_text(asked.machine_model)} - {call.device_id}",
        )
        if asked.server_backed_state_key:
            self._clients.knows_keys(client, [asked.server_backed_state_key])
        return client

    def _admit(self, asked: pb.DeviceRegisterRequest, serial: str) -> None:
        """Raises: Refusal with the code for the first of the terms that a machine does not meet (policy facts 1.4)."""
        terms = self._terms
        if not serial or not serial.startswith(terms.serial_prefix):
            raise Refusal(405, "no device of the city has this serial number")
        expected = good_text(asked.expected_enrollment_domain)
        if expected and expected != self._domain:
            raise Refusal(406, f"this is {self._domain}, not the domain that the device expects")
        if terms.packaged_licenses and asked.license_type.license_type == pb.LicenseType.KIOSK:
            raise Refusal(418, "a machine with its own licence cannot be a kiosk")
        # a machine that comes again was approved before, and has its licence
        if self._clients.of_serial(serial) is not None:
            return
        if terms.approval:
            raise Refusal(412, "the machine waits for approval")
        if not terms.packaged_licenses and 0 <= terms.licenses <= self._clients.count(DEVICE):
            raise Refusal(402, f"all {terms.licenses} licences are in use")

    def _register_browser(self, call: Call) -> Answer:
        self._require_enrollment_token(call)
        call.require("register_browser_request")
        asked = call.message.register_browser_request
        # Chromium 156 fills in the second only.
        name = good_text(asked.machine_name) or good_text(asked.browser_device_identifier.computer_name)
        if not name:
            raise Refusal(400, "a browser's machine has a name")
        message = Answer()
        user = f"browser@{self._domain}"
        self._fill(
            message.register_response,
            self._clients.register(device_id=call.device_id, kind=BROWSER, username=user, serial="", machine_name=name),
        )
        return message

    def _require_enrollment_token(self, call: Call) -> None:
        if call.enrollment_token != self._clients.enrollment_token:
            raise Refusal(401, "no valid enrollment token")

    def _fill(self, given: pb.DeviceRegisterResponse, client: Client) -> None:
        given.device_management_token = client.dm_token
        given.machine_name = client.machine_name
        # A Chromebook turns a registration down that does not name its mode (Chromium enrollment_handler.cc).
        given.enrollment_type = pb.DeviceRegisterResponse.ENTERPRISE
        given.user_email = client.username

    def _unregister(self, call: Call) -> Answer:
        self._clients.unregister(self._clients.authorised(call.device_id, call.dm_token))
        return Answer(unregister_response=pb.DeviceUnregisterResponse())

    # ----------------------------------------------------------------------------------------- asked beside enrollment

    def _check_user_account(self, call: Call) -> Answer:
        call.require("check_user_account_request")
        ours = domain_of(good_text(call.message.check_user_account_request.user_email)) == self._domain
        kind = pb.CheckUserAccountResponse.DASHER if ours else pb.CheckUserAccountResponse.CONSUMER
        message = Answer()
        message.check_user_account_response.domain_verified = ours
        message.check_user_account_response.user_account_type = kind
        message.check_user_account_response.enrollment_nudge_type = pb.CheckUserAccountResponse.NONE
        return message

    def _check_android_management(self, call: Call) -> Answer:
        """Android apps are not managed on their own, which a 409 would say."""
        self._user(call)
        return Answer(check_android_management_response=pb.Empty())

    def _promotion_eligibility(self, call: Call) -> Answer:
        self._user(call)
        return Answer(get_user_eligible_promotions_response=pb.Empty())

    def _attribute_permission(self, call: Call) -> Answer:
        """Asset id and location are the inventory's to set, not whoever enrolls."""
        self._user_or_client(call)
        result = pb.DeviceAttributeUpdatePermissionResponse.ATTRIBUTE_UPDATE_DISALLOWED
        return Answer(
            device_attribute_update_permission_response=pb.DeviceAttributeUpdatePermissionResponse(result=result)
        )

    def _attribute_update(self, call: Call) -> Answer:
        self._user_or_client(call)
        result = pb.DeviceAttributeUpdateResponse.ATTRIBUTE_UPDATE_ERROR
        return Answer(device_attribute_update_response=pb.DeviceAttributeUpdateResponse(result=result))

    def _user_or_client(self, call: Call) -> None:
        if call.oauth_token:
            self._user(call)
        else:
            self._clients.authorised(call.device_id, call.dm_token)
