// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("ExistentialAny"),
]

let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let subprocess = Target.Dependency.product(name: "Subprocess", package: "swift-subprocess")
let systemPackage = Target.Dependency.product(name: "SystemPackage", package: "swift-system")

func module(_ name: String, _ dependencies: [Target.Dependency] = [], path: String? = nil) -> Target {
  .target(name: name, dependencies: dependencies, path: path, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .testTarget(name: name, dependencies: dependencies, swiftSettings: strict)
}

let package = Package(
  name: "stowage",
  platforms: [.macOS(.v26)],
  products: [.executable(name: "stowage", targets: ["stowage"])],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2", traits: []),
  ],
  targets: [
    // C modules: thin, one library each.
    .target(name: "CGRPC", linkerSettings: [.linkedLibrary("grpc_unsecure"), .linkedLibrary("gpr")]),
    .target(name: "CCSI", linkerSettings: [.linkedLibrary("protobuf-c")]),
    .target(name: "CLinux", linkerSettings: [.linkedLibrary("blkid"), .linkedLibrary("uuid")]),
    .target(name: "CCurl"),  // loads its library itself
    .target(name: "CYAML", linkerSettings: [.linkedLibrary("yaml")]),
    .target(name: "CCryptsetup"),  // loads its library itself
    .target(name: "CLVM", linkerSettings: [.linkedLibrary("devmapper")]),

    module("GRPC", ["CGRPC"]),
    module("JSONText"),
    module("CSI", ["CCSI", "JSONText"]),
    module("Storage"),
    module("Host", ["CLinux", "CCryptsetup", "Storage", subprocess, systemPackage]),
    module("FileBackend", ["Storage", "Host", "JSONText"]),
    module("LVMBackend", ["Storage", "Host", "JSONText", "CLVM", logging]),
    module("Telemetry", [logging]),
    module("HTTP", ["CCurl"]),
    module("OpenStack", ["HTTP", "JSONText", "Storage", "Configuration", logging]),
    module("Driver", ["CSI", "GRPC", "Storage", "Host", "Telemetry", logging]),
    module("Configuration", ["CYAML", "Storage"]),
    module("CSIClient", ["CSI", "GRPC", "Storage", "Host", "Configuration", argumentParser]),
    .executableTarget(
      name: "stowage",
      dependencies: [
        "CSI", "GRPC", "Storage", "Host", "FileBackend", "LVMBackend", "Driver", "Telemetry", "Configuration",
        "CSIClient", logging, argumentParser,
        .product(name: "UnixSignals", package: "swift-service-lifecycle"),
      ],
      swiftSettings: strict),
    .executableTarget(name: "csi-generate", dependencies: ["CCSI"], swiftSettings: strict),
    .executableTarget(
      name: "stowage-bench",
      dependencies: [
        "CSI", "GRPC", "Host", .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "Tests/Bench", swiftSettings: strict),

    module("BackendContract", ["Storage"], path: "Tests/BackendContract"),
    tests("StorageTests", ["Storage"]),
    tests("GRPCTests", ["GRPC"]),
    tests("CSITests", ["CSI", "CCSI", "JSONText"]),
    .executableTarget(
      name: "freeze-guard-test", dependencies: ["Host"], path: "Tests/FreezeGuardTool", swiftSettings: strict),
    tests("HostTests", ["Host", "Storage", "freeze-guard-test"]),
    .executableTarget(
      name: "file-backend-life", dependencies: ["FileBackend", "Storage", "Host"], path: "Tests/file-backend-life",
      swiftSettings: strict),
    tests("FileBackendTests", ["FileBackend", "BackendContract", "Storage", "Host", "file-backend-life"]),
    tests("LVMBackendTests", ["LVMBackend", "BackendContract", "Storage", "Host"]),
    tests("DriverTests", ["Driver", "CSI", "GRPC", "Storage", "Host", "FileBackend", "Telemetry", logging]),
    tests("ConfigurationTests", ["Configuration", "Storage"]),
    tests("HTTPTests", ["HTTP"]),
    tests("OpenStackTests", ["OpenStack", "HTTP", "JSONText", "Storage", "Configuration", logging]),
    tests("TelemetryTests", ["Telemetry", logging]),
    tests("CSIClientTests", ["CSIClient", "CSI", "GRPC", "Host", "Configuration", argumentParser]),
    tests(
      "DeviceMapperTests",
      ["stowage", "LVMBackend", "FileBackend", "Driver", "CSI", "GRPC", "Storage", "Host", "BackendContract", logging]),
    tests("Conformance", ["stowage", "CSI", "GRPC", "Host"]),
  ]
)
