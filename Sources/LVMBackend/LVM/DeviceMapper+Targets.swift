import CLVM
import Glibc

extension DeviceMapper {
  /// The kinds of mappings that the running kernel has now, such as `linear` and `thin-pool` (DM_LIST_VERSIONS). A module
  /// that is not loaded yet is not among them. Not for use beside other calls of libdevmapper: it takes no lock.
  /// - Returns: nil when the kernel has no device-mapper, or we may not ask.
  package static func targets() -> Set<String>? {
    guard access("/dev/mapper/control", R_OK | W_OK) == 0, let task = dm_task_create(Int32(DM_DEVICE_LIST_VERSIONS))
    else { return nil }
    defer { dm_task_destroy(task) }
    guard dm_task_run(task) == 1, var entry = UnsafeRawPointer(dm_task_get_versions(task)) else { return nil }
    var names: Set<String> = []
    while true {
      // struct dm_versions: the distance to the next entry (0 at the last), three numbers, then the name.
      let next = entry.load(as: UInt32.self)
      let name = entry.advanced(by: 4 * MemoryLayout<UInt32>.size).assumingMemoryBound(to: CChar.self)
      names.insert(String(cString: name))
      if next == 0 { return names }
      entry = entry.advanced(by: Int(next))
    }
  }
}
