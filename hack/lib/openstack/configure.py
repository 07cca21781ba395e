"""Writes the configuration of every service below DIRECTORY/conf; the same settings always give the same files."""
import os
from pathlib import Path

from bed import REGION, Bed

Section = dict[str, object]
HERE = Path(__file__).parent

# Seconds between a worker's reports, and after how many without one it counts as down. Short enough for a test of
# faults, long enough for a machine that is busy compiling.
REPORT, DOWN = 2, 30

# Not a secret: no volume of the bed is encrypted.
FIXED_KEY = "0123456789abcdef" * 4


class Writer:
    def __init__(self, bed: Bed) -> None:
        self.bed = bed
        self.conf, self.data = bed.directory / "conf", bed.directory / "data"
        self.etc = bed.directory / "venv/etc"

    def write(self, name: str, text: str) -> None:
        path = self.conf / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(text)

    def sections(self, name: str, sections: dict[str, Section]) -> None:
        lines = []
        for section, values in sections.items():
            lines += [f"[{section}]", *(f"{key} = {value}" for key, value in values.items()), ""]
        self.write(name, "\n".join(lines))

    # --- what several services share

    def messages(self) -> Section:
        address = f"{self.bed.address}:{self.bed.ports['rabbitmq']}"
        return {"use_stderr": True, "transport_url": f"rabbit://bed:{self.bed.secret}@{address}/"}

    def database(self, name: str) -> Section:
        address = f"{self.bed.address}:{self.bed.ports['mariadb']}"
        return {
            "connection": f"mysql+pymysql://bed:{self.bed.secret}@{address}/{name}",
            "max_pool_size": 5,
            "max_overflow": 30,
        }

    def account(self, user: str) -> Section:
        return {
            "auth_type": "password",
            "auth_url": self.bed.url("keystone"),
            "username": user,
            "password": self.bed.secret,
            "project_name": "service",
            "user_domain_id": "default",
            "project_domain_id": "default",
            "region_name": REGION,
        }

    def common(self, user: str) -> dict[str, Section]:
        locks = self.data / "locks"
        locks.mkdir(parents=True, exist_ok=True)
        return {
            "keystone_authtoken": {
                **self.account(user),
                "www_authenticate_uri": self.bed.url("keystone"),
                "service_token_roles": "service",
                "service_token_roles_required": True,
                "token_cache_time": self.bed.token_cache,
            },
            "service_user": {**self.account(user), "send_service_user_token": True},
            "oslo_concurrency": {"lock_path": locks},
            "oslo_messaging_rabbit": {"heartbeat_timeout_threshold": 0},
        }

    def service(self, name: str, **more: object) -> Section:
        """The [DEFAULT] section of a service with workers."""
        state = self.data / name
        state.mkdir(parents=True, exist_ok=True)
        return {
            **self.messages(),
            "my_ip": self.bed.address,
            "host": "bed",
            "state_path": state,
            "rootwrap_config": self.etc / name / "rootwrap.conf",
            "report_interval": REPORT,
            "service_down_time": DOWN,
            **more,
        }

    # --- the services

    def mariadb(self) -> None:
        # What is lost in a crash of the machine is made again: nothing waits for a disk.
        run = self.bed.directory / "run"
        lines = [
            "[mysqld]",
            f"datadir = {self.data}/mariadb",
            f"socket = {run}/mariadb.socket",
            f"pid-file = {run}/mariadbd.pid",
            f"bind-address = {self.bed.address}",
            f"port = {self.bed.ports['mariadb']}",
            "skip-log-bin",
            "skip-name-resolve",
            "innodb_flush_log_at_trx_commit = 0",
            "innodb_flush_method = nosync",
            "innodb_doublewrite = 0",
            "innodb_buffer_pool_size = 128M",
            "innodb_log_file_size = 32M",
            "performance_schema = OFF",
            "max_connections = 500",
            "character-set-server = utf8mb3",
        ]
        if os.geteuid() == 0:
            lines.append("user = root")
        self.write("mariadb.cnf", "\n".join(lines) + "\n")

    def rabbitmq(self) -> None:
        lines = [
            f"listeners.tcp.default = {self.bed.address}:{self.bed.ports['rabbitmq']}",
            "default_user = bed",
            f"default_pass = {self.bed.secret}",
            "loopback_users = none",
            "disk_free_limit.absolute = 50MB",
            "vm_memory_high_watermark.absolute = 1GB",
        ]
        self.write("rabbitmq/rabbitmq.conf", "\n".join(lines) + "\n")
        self.write("rabbitmq/plugins", "[].\n")
        self.write("rabbitmq/environment", "")

    def keystone(self) -> None:
        self.sections("keystone/keystone.conf", {
            "DEFAULT": {"use_stderr": True},
            "database": self.database("keystone"),
            "token": {"provider": "fernet"},
            "fernet_tokens": {"key_repository": self.data / "keys/fernet"},
            "credential": {"key_repository": self.data / "keys/credential"},
            # The least that bcrypt takes: every service authenticates with a password at its start.
            "identity": {"password_hash_rounds": 4},
            # Without a cache a request takes 0.4 s instead of 0.05 s.
            "cache": {"enabled": True, "backend": "oslo_cache.dict"},
        })

    def cinder(self) -> None:
        helper = f"{self.bed.directory}/venv/bin/privsep-helper --config-file {self.conf}/cinder/cinder.conf"
        self.sections("cinder/cinder.conf", {
            "DEFAULT": self.service(
                "cinder",
                auth_strategy="keystone",
                api_paste_config=self.etc / "cinder/api-paste.ini",
                resource_query_filters_file=self.etc / "cinder/resource_filters.json",
                enabled_backends="pretend",
                default_volume_type="__DEFAULT__",
                scheduler_default_filters="AvailabilityZoneFilter,CapacityFilter,CapabilitiesFilter",
                periodic_interval=10,
            ),
            "database": self.database("cinder"),
            **self.common("cinder"),
            "nova": self.account("nova"),
            "key_manager": {"backend": "cinder.keymgr.conf_key_mgr.ConfKeyManager", "fixed_key": FIXED_KEY},
            "cinder_sys_admin": {"helper_command": helper},
            "privsep_osbrick": {"helper_command": helper},
            "pretend": {
                "volume_driver": "pretend_volume_driver.PretendVolumeDriver",
                "volume_backend_name": "pretend",
                # Its exports are pretended as well.
                "target_helper": "fake",
            },
        })

    def placement(self) -> None:
        self.sections("placement/placement.conf", {
            "DEFAULT": {"use_stderr": True},
            "api": {"auth_strategy": "keystone"},
            "placement_database": self.database("placement"),
            **self.common("placement"),
        })

    def nova(self) -> None:
        (self.conf / "nova").mkdir(parents=True, exist_ok=True)
        (self.conf / "nova/api-paste.ini").write_text((self.etc / "nova/api-paste.ini").read_text())
        self.sections("nova/nova.conf", {
            "DEFAULT": self.service(
                "nova",
                compute_driver="fake.FakeDriver",
                heal_instance_info_cache_interval=-1,
                sync_power_state_interval=-1,
                enabled_apis="osapi_compute",
            ),
            "wsgi": {"api_paste_config": self.etc / "nova/api-paste.ini"},
            "api": {"auth_strategy": "keystone"},
            "api_database": self.database("nova_api"),
            "database": self.database("nova"),
            **self.common("nova"),
            "placement": self.account("nova"),
            "cinder": {**self.account("nova"), "catalog_info": "block-storage::publicURL", "os_region_name": REGION},
            "neutron": self.account("nova"),
            "glance": self.account("nova"),
            "scheduler": {"workers": 1, "discover_hosts_in_cells_interval": 2},
            "conductor": {"workers": 1},
            "oslo_messaging_notifications": {"driver": "noop"},
        })

    def manila(self) -> None:
        at_once = ("create_share", "ensure_share", "get_pool", "do_setup", "_get_pools_info", "_update_share_stats")
        self.sections("manila/manila.conf", {
            "DEFAULT": self.service(
                "manila",
                auth_strategy="keystone",
                api_paste_config=self.etc / "manila/api-paste.ini",
                enabled_share_backends="dummy",
                enabled_share_protocols="NFS,CIFS",
                default_share_type="default",
                share_usage_audit_period="month",
                network_api_class="manila.network.standalone_network_plugin.StandaloneNetworkPlugin",
                periodic_interval=5,
            ),
            "database": self.database("manila"),
            **self.common("manila"),
            "dummy": {
                "share_driver": "manila.tests.share.drivers.dummy.DummyDriver",
                "share_backend_name": "dummy",
                "driver_handles_share_servers": False,
                "dummy_driver_default_driver_method_delay": 0,
                "dummy_driver_driver_methods_delays": ",".join(f"{method}:0" for method in at_once),
            },
        })


if __name__ == "__main__":
    writer = Writer(Bed.from_environment())
    for each in (writer.mariadb, writer.rabbitmq, writer.keystone, writer.cinder, writer.placement, writer.nova,
                 writer.manila):
        each()
