import Glibc

/// What Prometheus clients tell about their process, read from /proc with every scrape (proc(5)).
package struct ProcessMetrics: MetricSource {
  package init() {}

  package func metrics() async -> [MetricFamily] {
    [
      MetricFamily(
        "process_resident_memory_bytes", .gauge, help: "Resident memory size in bytes.",
        samples: Self.residentBytes.map { [.init(Double($0))] } ?? []),
      MetricFamily(
        "process_start_time_seconds", .gauge, help: "Start time of the process since the Unix epoch in seconds.",
        samples: Self.startTime.map { [.init($0)] } ?? []),
      MetricFamily(
        "process_cpu_seconds_total", .counter, help: "User and system CPU time spent in seconds.",
        samples: [.init(Self.cpuSeconds)]),
      MetricFamily(
        "process_open_fds", .gauge, help: "Number of open file descriptors.",
        samples: Self.openDescriptors.map { [.init(Double($0))] } ?? []),
    ]
  }

  static var residentBytes: Int? {
    let fields = procFile("/proc/self/statm")?.split(separator: " ")
    guard let fields, fields.count > 1, let pages = Int(fields[1]) else { return nil }
    return pages * sysconf(Int32(_SC_PAGESIZE))
  }

  /// Field 22 of /proc/self/stat, in ticks after boot; the second field may hold spaces and ends at the last ')'.
  static var startTime: Double? {
    guard let stat = procFile("/proc/self/stat"), let end = stat.lastIndex(of: ")") else { return nil }
    let fields = stat[stat.index(after: end)...].split(separator: " ")
    guard fields.count > 19, let ticks = Double(fields[19]),
      let boot = procFile("/proc/stat")?.split(separator: "\n").first(where: { $0.hasPrefix("btime ") }),
      let bootTime = Double(boot.dropFirst(6))
    else { return nil }
    return bootTime + ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
  }

  static var cpuSeconds: Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  static var openDescriptors: Int? {
    guard let directory = opendir("/proc/self/fd") else { return nil }
    defer { closedir(directory) }
    var count = 0
    while readdir(directory) != nil { count += 1 }
    // ".", ".." and the descriptor of the directory itself.
    return count - 3
  }

  private static func procFile(_ path: String) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 16384)
    while bytes.count < 1 << 20 {
      let count = read(descriptor, &chunk, chunk.count)
      guard count > 0 else { break }
      bytes += chunk[..<count]
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
