/// What this build calls itself: `vendor_version` of GetPluginInfo, --version and the metric stowage_build_info.
enum Version {
  static let current = "0.1.0"
}
