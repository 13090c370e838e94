// swift-tools-version:6.1
import PackageDescription

// What one core does per byte: a package of its own, so that nobody who only uses holdfast builds it. The modules are
// the ones that holdfast is made of, through symbolic links, because `package` access ends at a package.
let settings: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
]

let package = Package(
  name: "benchmarks",
  dependencies: [.package(url: "https://github.com/apple/swift-crypto", from: "4.5.2")],
  targets: [
    .target(name: "CSHA256"),
    .target(name: "CScrypt"),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib"),
    .systemLibrary(name: "CISAL", pkgConfig: "libisal"),
    .systemLibrary(name: "CZstd", pkgConfig: "libzstd"),
    .target(name: "HoldfastModel", swiftSettings: settings),
    .target(
      name: "HoldfastCodec",
      dependencies: [
        "HoldfastModel", "CSHA256", "CScrypt", "CZlib", "CISAL", "CZstd",
        .product(name: "Crypto", package: "swift-crypto"),
      ],
      swiftSettings: settings),
    .executableTarget(
      name: "Benchmarks", dependencies: ["HoldfastModel", "HoldfastCodec"], swiftSettings: settings),
  ],
  swiftLanguageModes: [.v6]
)
