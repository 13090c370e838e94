package import HoldfastStore
package import HoldfastSystem

extension TargetStore {
  /// Makes targets `home`, `b`, `c` …, which are all in step. Every object whose key has a folder is sent to them; the
  /// folder is the first part of the key.
  package convenience init(
    _ home: any Store, _ others: [any Store], _ policy: TargetPolicy = TargetPolicy(), clock: Clock = .system,
    behind: Set<String> = []
  ) {
    self.init(
      home: Target(name: "home", store: home),
      others: others.enumerated().map { Target(name: String("bcdef".dropFirst($0).prefix(1)), store: $1) }, policy,
      clock: clock, gate: TestGate(behind: behind),
      folder: { $0.contains("/") ? String($0.prefix { $0 != "/" }) : nil })
  }
}

/// Lets every target be written to but some.
package struct TestGate: TargetGate {
  /// The names of targets that get nothing.
  private let behind: Set<String>

  package init(behind: Set<String> = []) { self.behind = behind }

  package func obstacle(to key: String, in folder: String, at target: String) -> (any Error)? {
    behind.contains(target) ? BehindReason.wasBehind : nil
  }

  package func checkOpen(_ key: String, in folder: String, at target: String) {}
}

extension Store {
  /// Creates an object.
  package func put(_ bytes: [UInt8], at key: String) throws {
    let writer = try create(key)
    try bytes.withUnsafeBytes { try writer.append($0) }
    try writer.commit()
  }

  /// Reads an object.
  package func bytes(_ key: String, length: UInt64? = nil) throws -> [UInt8] { try open(key, length: length).all() }
}

extension ReadableBytes {
  /// Returns all bytes.
  package func all() throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: Int(length))
    try bytes.withUnsafeMutableBytes { try read(into: $0, at: 0) }
    return bytes
  }
}
