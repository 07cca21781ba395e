import ArgumentParser
import CSI

struct PluginInfo: RPCCommand {
  static let method = Methods.getPluginInfo
  static let configuration = help("plugin-info", "Show the driver's name and version.")
  @OptionGroup var connection: ConnectionOptions

  func request(environment: [String: String]) -> GetPluginInfoRequest { .init() }
}

struct PluginCapabilities: RPCCommand {
  static let method = Methods.getPluginCapabilities
  static let configuration = help("plugin-capabilities", "Show which services the driver has.")
  @OptionGroup var connection: ConnectionOptions

  func request(environment: [String: String]) -> GetPluginCapabilitiesRequest { .init() }
}

struct Probe: RPCCommand {
  static let method = Methods.probe
  static let configuration = help(
    "probe", "Ask whether the driver is ready.",
    "\"ready false\" means that it still starts; an error means that it cannot work, and says why.")
  @OptionGroup var connection: ConnectionOptions

  func request(environment: [String: String]) -> ProbeRequest { .init() }
}
