import Testing

@testable import Telemetry

@Suite struct Metrics {
  @Test func `calls are counted in the buckets of their duration and status`() async {
    let calls = CallMetrics(driverName: "d")
    calls.callBegan("/csi.v1.Identity/Probe")
    calls.callEnded("/csi.v1.Identity/Probe", code: "OK", seconds: 0.0005)
    calls.callBegan("/csi.v1.Identity/Probe")
    calls.callEnded("/csi.v1.Identity/Probe", code: "OK", seconds: 0.1)
    calls.callBegan("/csi.v1.Identity/Probe")
    calls.callEnded("/csi.v1.Identity/Probe", code: "ABORTED", seconds: 1000)
    calls.callBegan("/csi.v1.Identity/Probe")
    let text = PrometheusText.render(await calls.metrics())
    let ok = "{driver_name=\"d\",method_name=\"/csi.v1.Identity/Probe\",grpc_status_code=\"OK\""
    let aborted = "{driver_name=\"d\",method_name=\"/csi.v1.Identity/Probe\",grpc_status_code=\"ABORTED\""
    let method = "{driver_name=\"d\",method_name=\"/csi.v1.Identity/Probe\"}"
    for line in [
      "# TYPE csi_plugin_operations_seconds histogram",
      "csi_plugin_operations_seconds_bucket\(ok),le=\"0.001\"} 1",
      "csi_plugin_operations_seconds_bucket\(ok),le=\"0.05\"} 1",
      "csi_plugin_operations_seconds_bucket\(ok),le=\"0.1\"} 2",
      "csi_plugin_operations_seconds_bucket\(ok),le=\"+Inf\"} 2",
      "csi_plugin_operations_seconds_count\(ok)} 2",
      "csi_plugin_operations_seconds_bucket\(aborted),le=\"600\"} 0",
      "csi_plugin_operations_seconds_bucket\(aborted),le=\"+Inf\"} 1",
      "csi_plugin_operations_seconds_sum\(aborted)} 1000",
      "csi_plugin_operations_in_flight\(method) 1",
      "csi_plugin_operations_aborted_total\(method) 1",
    ] {
      #expect(text.split(separator: "\n").contains { $0 == line }, "\(line)")
    }
  }

  @Test func `all buckets of the sidecars are among ours`() {
    for bound in [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 25, 50, 120, 300, 600] {
      #expect(CallMetrics.bounds.contains(bound))
    }
    #expect(CallMetrics.bounds == CallMetrics.bounds.sorted())
  }

  @Test func `label values and help are escaped`() {
    let family = MetricFamily(
      "m", .gauge, help: "a\\b\nc", samples: [.init(1.5, labels: [.init("l", "say \"x\"\n\\")])])
    #expect(
      PrometheusText.render([family])
        == "# HELP m a\\\\b\\nc\n# TYPE m gauge\nm{l=\"say \\\"x\\\"\\n\\\\\"} 1.5\n")
  }

  @Test func `collected families appear only with samples, in order`() async {
    let registry = MetricsRegistry()
    registry.add("b", .gauge, help: "second letter") { [.init(2)] }
    registry.add("none", .gauge, help: "nothing") { [] }
    registry.add("a", .counter, help: "first letter") { [.init(1)] }
    #expect(
      await registry.render()
        == "# HELP b second letter\n# TYPE b gauge\nb 2\n# HELP a first letter\n# TYPE a counter\na 1\n")
  }

  @Test func `the process tells its memory and start`() async {
    let families = await ProcessMetrics().metrics()
    for name in ["process_resident_memory_bytes", "process_start_time_seconds", "process_open_fds"] {
      #expect((families.first { $0.name == name }?.samples.first?.value ?? 0) > 0, "\(name)")
    }
  }
}
