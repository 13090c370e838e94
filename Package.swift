// swift-tools-version:6.1
import PackageDescription

/// Every module is checked the same way: complete concurrency checking (Swift 6), explicit `any`, imports that say what
/// they show to others.
let settings: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
]

func module(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .target(name: "Holdfast" + name, dependencies: dependencies, swiftSettings: settings)
}

/// Tests of the release build are not optimized themselves: that takes longer than they run. Nor are they parsed once
/// more for a module of their declarations before they are compiled, which nobody would wait for.
let testSettings =
  settings + [.unsafeFlags(["-Onone", "-no-emit-module-separately-wmo"], .when(configuration: .release))]

func tests(of name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .testTarget(
    name: "Holdfast\(name)Tests",
    dependencies: [.target(name: "Holdfast" + name), "HoldfastTestSupport"] + dependencies,
    swiftSettings: testSettings)
}

/// Tests of one part of what the Engine does.
func testsOfEngine(_ part: String) -> Target {
  .testTarget(
    name: "Holdfast\(part)Tests",
    dependencies: [
      "HoldfastModel", "HoldfastSystem", "HoldfastCodec", "HoldfastArchive", "HoldfastSource", "HoldfastStore",
      "HoldfastRepository", "HoldfastEngine", "HoldfastTestShop", "HoldfastTestSupport",
    ],
    swiftSettings: testSettings)
}

/// The release binary contains the Swift runtime and has no symbols: to profile it, take the last flag out.
/// `swift build --static-swift-stdlib` links the runtime too, but for the tests as well, which cannot be linked so:
/// all of Swift would be compiled twice. So the libraries that a static Foundation needs are named here.
let releaseBinary: LinkerSetting = .unsafeFlags(
  [
    "-static-stdlib", "-l_FoundationCShims", "-l_FoundationCollections", "-lswiftSynchronization", "-Xlinker",
    "--strip-all",
  ],
  .when(configuration: .release))

let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
  name: "holdfast",
  products: [.executable(name: "holdfast", targets: ["holdfast"])],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
  ],
  targets: [
    .target(name: "CCurl"),
    .target(name: "CExpat"),
    .target(name: "CFuse"),
    .target(name: "CLinux"),
    .target(name: "CPostgres"),
    .target(name: "CQuery"),
    .target(name: "CSHA256"),
    .target(name: "CScrypt"),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "CISAL", pkgConfig: "libisal", providers: [.apt(["libisal-dev"])]),
    .systemLibrary(name: "CYAML", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
    .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),

    module("Model", []),
    module("System", ["HoldfastModel", "CCurl", "CLinux"]),
    module("Codec", ["HoldfastModel", "CSHA256", "CScrypt", "CZlib", "CISAL", "CZstd", crypto]),
    module("Archive", ["HoldfastModel", "HoldfastSystem", "HoldfastCodec"]),
    module("Source", ["HoldfastModel", "HoldfastSystem", "CPostgres"]),
    module("Store", ["HoldfastModel", "HoldfastSystem", "HoldfastCodec", "CExpat", crypto]),
    module("Configuration", ["HoldfastModel", "HoldfastSystem", "CYAML"]),
    module(
      "Repository", ["HoldfastModel", "HoldfastSystem", "HoldfastCodec", "HoldfastArchive", "HoldfastStore"]),
    module(
      "Engine",
      [
        "HoldfastModel", "HoldfastSystem", "HoldfastCodec", "HoldfastArchive", "HoldfastSource", "HoldfastStore",
        "HoldfastRepository",
      ]),
    module(
      "Query",
      ["HoldfastModel", "HoldfastSystem", "HoldfastArchive", "HoldfastRepository", "HoldfastEngine", "CQuery"]),
    module(
      "Mount",
      [
        "HoldfastModel", "HoldfastSystem", "HoldfastArchive", "HoldfastStore", "HoldfastRepository", "HoldfastEngine",
        "HoldfastQuery", "CFuse",
      ]),
    module(
      "Browse",
      [
        "HoldfastModel", "HoldfastSystem", "HoldfastCodec", "HoldfastArchive", "HoldfastStore", "HoldfastRepository",
        "HoldfastEngine",
      ]),
    module(
      "Drill",
      [
        "HoldfastModel", "HoldfastSystem", "HoldfastArchive", "HoldfastSource", "HoldfastStore", "HoldfastRepository",
        "HoldfastEngine", "CQuery",
      ]),
    module(
      "Report",
      [
        "HoldfastModel", "HoldfastSystem", "HoldfastCodec", "HoldfastArchive", "HoldfastRepository", "HoldfastEngine",
        "HoldfastQuery", "HoldfastBrowse", "HoldfastDrill",
      ]),
    module(
      "Page",
      [
        "HoldfastModel", "HoldfastSystem", "HoldfastArchive", "HoldfastRepository", "HoldfastEngine", "HoldfastReport",
      ]),
    module(
      "Operations",
      [
        "HoldfastModel", "HoldfastSystem", "HoldfastCodec", "HoldfastArchive", "HoldfastStore", "HoldfastConfiguration",
        "HoldfastRepository", "HoldfastEngine", "HoldfastBrowse", "HoldfastDrill", "HoldfastReport",
      ]),
    module(
      "Watch",
      [
        "HoldfastModel", "HoldfastSystem", "HoldfastSource", "HoldfastStore", "HoldfastConfiguration",
        "HoldfastRepository", "HoldfastEngine", "HoldfastOperations",
      ]),
    module(
      "Doctor",
      [
        "HoldfastModel", "HoldfastSystem", "HoldfastCodec", "HoldfastArchive", "HoldfastSource", "HoldfastStore",
        "HoldfastConfiguration", "HoldfastRepository", "HoldfastEngine", "HoldfastReport", "HoldfastOperations",
      ]),
    module(
      "Standby",
      [
        "HoldfastModel", "HoldfastSystem", "HoldfastCodec", "HoldfastArchive", "HoldfastSource", "HoldfastStore",
        "HoldfastConfiguration", "HoldfastRepository", "HoldfastEngine", "HoldfastReport", "HoldfastOperations",
      ]),
    module(
      "Failover",
      [
        "HoldfastModel", "HoldfastSystem", "HoldfastArchive", "HoldfastStore", "HoldfastConfiguration",
        "HoldfastRepository", "HoldfastEngine", "HoldfastDrill", "HoldfastOperations", "HoldfastStandby",
      ]),
    module(
      "Setup",
      [
        "HoldfastModel", "HoldfastSystem", "HoldfastCodec", "HoldfastArchive", "HoldfastSource", "HoldfastStore",
        "HoldfastConfiguration", "HoldfastRepository", "HoldfastEngine", "HoldfastDrill", "HoldfastReport",
        "HoldfastOperations",
      ]),
    module(
      "CLI",
      [
        "HoldfastModel", "HoldfastSystem", "HoldfastCodec", "HoldfastArchive", "HoldfastSource", "HoldfastStore",
        "HoldfastRepository", "HoldfastConfiguration", "HoldfastEngine", "HoldfastQuery", "HoldfastBrowse",
        "HoldfastDrill", "HoldfastReport", "HoldfastPage", "HoldfastOperations", "HoldfastWatch", "HoldfastDoctor",
        "HoldfastMount", "HoldfastSetup", "HoldfastStandby", "HoldfastFailover", argumentParser,
      ]),
    .executableTarget(
      name: "holdfast", dependencies: ["HoldfastCLI"], swiftSettings: settings, linkerSettings: [releaseBinary]),

    // Tests make databases with it; holdfast reads them by itself.
    .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
    .target(name: "CTestEnvironment", path: "Tests/CTestEnvironment"),
    .target(
      name: "HoldfastTestSupport",
      dependencies: ["HoldfastModel", "HoldfastSystem", "HoldfastStore", "CLinux", "CSQLite", "CTestEnvironment"],
      path: "Tests/HoldfastTestSupport", swiftSettings: settings),
    // Apart, so that tests of the modules below the Engine do not wait until that is optimized.
    .target(
      name: "HoldfastTestShop",
      dependencies: [
        "HoldfastModel", "HoldfastSystem", "HoldfastCodec", "HoldfastArchive", "HoldfastStore", "HoldfastRepository",
        "HoldfastEngine", "HoldfastTestSupport",
      ],
      path: "Tests/HoldfastTestShop", swiftSettings: settings),
    tests(of: "Model"),
    tests(of: "System", ["HoldfastModel"]),
    tests(of: "Codec", ["HoldfastModel", "HoldfastSystem", "CZlib"]),
    tests(of: "Archive", ["HoldfastModel", "HoldfastSystem", "HoldfastCodec"]),
    tests(of: "Source", ["HoldfastModel", "HoldfastSystem"]),
    tests(of: "Store", ["HoldfastModel", "HoldfastSystem"]),
    tests(of: "Configuration", ["HoldfastModel", "HoldfastSystem"]),
    tests(
      of: "Repository", ["HoldfastModel", "HoldfastSystem", "HoldfastCodec", "HoldfastArchive", "HoldfastStore"]),
    // What the Engine does is tested by several modules, so that both cores compile them.
    testsOfEngine("Engine"),
    testsOfEngine("Postgres"),
    testsOfEngine("Restore"),
    testsOfEngine("Sealing"),
    testsOfEngine("Target"),
    testsOfEngine("Serving"),
    tests(
      of: "Query",
      [
        "HoldfastModel", "HoldfastSystem", "HoldfastArchive", "HoldfastRepository", "HoldfastEngine",
        "HoldfastTestShop", "CSQLite",
      ]),
    tests(
      of: "Mount",
      [
        "HoldfastModel", "HoldfastSystem", "HoldfastArchive", "HoldfastRepository", "HoldfastEngine",
        "HoldfastTestShop", "CSQLite",
      ]),
    tests(
      of: "Browse",
      [
        "HoldfastModel", "HoldfastSystem", "HoldfastCodec", "HoldfastArchive", "HoldfastStore", "HoldfastRepository",
        "HoldfastEngine", "HoldfastTestShop",
      ]),
    tests(
      of: "Drill",
      [
        "HoldfastModel", "HoldfastSystem", "HoldfastCodec", "HoldfastArchive", "HoldfastConfiguration", "HoldfastStore",
        "HoldfastRepository", "HoldfastEngine", "HoldfastReport", "HoldfastOperations", "HoldfastTestShop",
      ]),
    tests(
      of: "Setup", ["HoldfastModel", "HoldfastSystem", "HoldfastConfiguration"]),
    tests(
      of: "Report", ["HoldfastModel", "HoldfastArchive", "HoldfastRepository", "HoldfastEngine", "HoldfastTestShop"]),
    tests(
      of: "Page",
      [
        "HoldfastModel", "HoldfastSystem", "HoldfastArchive", "HoldfastRepository", "HoldfastEngine",
        "HoldfastTestShop",
      ]),
    tests(
      of: "Operations",
      [
        "HoldfastModel", "HoldfastSystem", "HoldfastCodec", "HoldfastArchive", "HoldfastStore", "HoldfastConfiguration",
        "HoldfastRepository", "HoldfastEngine", "HoldfastTestShop",
      ]),
    tests(
      of: "Watch",
      [
        "HoldfastModel", "HoldfastSystem", "HoldfastArchive", "HoldfastStore", "HoldfastConfiguration",
        "HoldfastRepository", "HoldfastEngine", "HoldfastOperations", "HoldfastTestShop",
      ]),
    tests(
      of: "Doctor",
      [
        "HoldfastModel", "HoldfastSystem", "HoldfastArchive", "HoldfastStore", "HoldfastConfiguration",
        "HoldfastRepository", "HoldfastEngine", "HoldfastReport", "HoldfastOperations", "HoldfastTestShop",
      ]),
    tests(
      of: "Standby",
      [
        "HoldfastModel", "HoldfastSystem", "HoldfastArchive", "HoldfastStore", "HoldfastConfiguration",
        "HoldfastRepository", "HoldfastEngine", "HoldfastReport", "HoldfastOperations", "HoldfastTestShop", "CSQLite",
      ]),
    tests(
      of: "Failover",
      ["HoldfastModel", "HoldfastSystem", "HoldfastConfiguration", "HoldfastStore", "HoldfastStandby", "CSQLite"]),
    // Tests of the command line as its users run it: the binary. They need no module above the store, and so are
    // compiled while the Engine is optimized.
    .testTarget(
      name: "HoldfastCLITests",
      dependencies: [
        "HoldfastModel", "HoldfastSystem", "HoldfastCodec", "HoldfastArchive", "HoldfastStore", "HoldfastTestSupport",
      ],
      swiftSettings: testSettings),
    // What commands write for programs: JSON as docs/schemas says, and several repositories at once.
    .testTarget(
      name: "HoldfastOutputTests", dependencies: ["HoldfastModel", "HoldfastTestSupport"], swiftSettings: testSettings),
    .testTarget(
      name: "HoldfastOptionTests",
      dependencies: [
        "HoldfastModel", "HoldfastSystem", "HoldfastCodec", "HoldfastConfiguration", "HoldfastEngine",
        "HoldfastOperations", "HoldfastCLI", "HoldfastTestSupport", argumentParser,
      ],
      swiftSettings: testSettings),
  ],
  swiftLanguageModes: [.v6]
)
