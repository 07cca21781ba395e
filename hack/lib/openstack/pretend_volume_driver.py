"""A Cinder back end without storage. Cinder's API, scheduler, quotas, database and states are the real ones; here is
what is pretended: a volume has no bytes, so nothing is copied and free space never shrinks, and a connection's facts
name a target that nobody serves. Every operation succeeds at once, unless a volume's metadata asks otherwise:

    pretend = "fail-OPERATION"          the operation fails, as a storage array's would
    pretend = "slow-OPERATION=SECONDS"  it takes that long

with OPERATION one of create, delete, extend, snapshot, attach, detach; several are separated by blanks.
"""
import time

from cinder import exception
from cinder.volume import driver

TOTAL_GB, PORTAL, TARGET = 100_000, "127.0.0.1:3260", "iqn.2010-10.org.openstack:"


class PretendVolumeDriver(driver.VolumeDriver):
    VERSION = "1.0"

    def _act(self, operation, volume):
        for wish in volume.metadata.get("pretend", "").split():
            kind, _, seconds = wish.partition("=")
            if kind == f"slow-{operation}":
                time.sleep(float(seconds))
            elif kind == f"fail-{operation}":
                raise exception.VolumeBackendAPIException(data=f"{operation} was asked to fail")

    def check_for_setup_error(self):
        pass

    def _update_volume_stats(self):
        pool = {
            "pool_name": "pretend",
            "total_capacity_gb": TOTAL_GB,
            "free_capacity_gb": TOTAL_GB,
            "reserved_percentage": 0,
            "thin_provisioning_support": False,
            "thick_provisioning_support": True,
            "multiattach": True,
            "online_extend_support": True,
            "consistent_group_snapshot_enabled": True,
        }
        self._stats = {
            "volume_backend_name": self.configuration.safe_get("volume_backend_name"),
            "vendor_name": "pretended",
            "driver_version": self.VERSION,
            "storage_protocol": "iSCSI",
            "pools": [pool],
        }

    # --- volumes and snapshots

    def create_volume(self, volume):
        self._act("create", volume)

    def create_volume_from_snapshot(self, volume, snapshot):
        self._act("create", volume)

    def create_cloned_volume(self, volume, src_vref):
        self._act("create", volume)

    def delete_volume(self, volume):
        self._act("delete", volume)

    def extend_volume(self, volume, new_size):
        self._act("extend", volume)

    def create_snapshot(self, snapshot):
        self._act("snapshot", snapshot.volume)

    def delete_snapshot(self, snapshot):
        pass

    def retype(self, context, volume, new_type, diff, host):
        return True

    # --- connections

    def ensure_export(self, context, volume):
        pass

    def create_export(self, context, volume, connector):
        pass

    def remove_export(self, context, volume):
        pass

    def initialize_connection(self, volume, connector):
        self._act("attach", volume)
        data = {
            "target_discovered": False,
            "target_portal": PORTAL,
            "target_iqn": TARGET + volume.name,
            "target_lun": 1,
            "volume_id": volume.id,
            "auth_method": "CHAP",
            "auth_username": "pretended",
            "auth_password": "pretended-" + volume.id,
            "discard": True,
        }
        return {"driver_volume_type": "iscsi", "data": data}

    def terminate_connection(self, volume, connector, **kwargs):
        self._act("detach", volume)

    # --- groups

    def create_group(self, context, group):
        return {"status": "available"}

    def delete_group(self, context, group, volumes):
        return {"status": "deleted"}, [{"id": volume.id, "status": "deleted"} for volume in volumes]

    def update_group(self, context, group, add_volumes=None, remove_volumes=None):
        return None, None, None

    def create_group_snapshot(self, context, group_snapshot, snapshots):
        for snapshot in snapshots:
            self._act("snapshot", snapshot.volume)
        return {"status": "available"}, [{"id": snapshot.id, "status": "available"} for snapshot in snapshots]

    def delete_group_snapshot(self, context, group_snapshot, snapshots):
        return {"status": "deleted"}, [{"id": snapshot.id, "status": "deleted"} for snapshot in snapshots]

    def create_group_from_src(self, context, group, volumes, group_snapshot=None, snapshots=None, source_group=None,
                              source_vols=None):
        return None, None
