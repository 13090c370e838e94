internal import HoldfastModel

/// Makes the settings of the drills of a source, and finds contradictions in them.
extension SettingsBuilder {
  private static let assertions = "assertions"

  mutating func drill(_ name: String, _ way: [String]) -> DrillSettings {
    func key(_ name: String) -> [String] { way + ["drill", name] }
    var made = DrillSettings()
    made.every = span(key("every"))
    made.olderEvery = text(schema.source, key("older-every")).flatMap { Int($0) }
    made.directory = text(schema.source, key("in")).map { Path($0) }
    made.bytesMax = text(schema.source, key("max-size")).flatMap { ByteSize($0)?.bytes }
    made.timeout = span(key("timeout")) ?? made.timeout
    made.database = text(schema.source, key("database"))
    // Assertions of the defaults hold for a source that has none of its own.
    let own = key(Self.assertions)
    let common = [Schema.defaults, "drill", Self.assertions]
    let used = findings.items[own] == nil ? common : own
    made.assertions = (findings.items[used] ?? []).compactMap { number in
      assertion(of: name, way: own + [number], written: used + [number])
    }
    return made
  }

  /// - Parameters:
  ///   - way: the key path of the assertion of the source.
  ///   - written: the key path at which it is written: that, or one in the defaults.
  private mutating func assertion(
    of name: String, way: [String], written: [String]
  ) -> DrillAssertion? {
    func text(_ key: String) -> String? { self.text(Schema.assertion, way + [key], depth: way.count) }
    guard !findings.faulty.contains(written) else { return nil }
    let sql = text("sql")
    let expectations: [DrillAssertion.Expectation] = [
      text("equals").map { .equals($0) }, text("at-least").map { .atLeast($0) },
      text("within").flatMap { TimeSpan($0) }.map { .within($0) },
    ].compactMap(\.self)
    guard let sql else {
      noteOnce(written, "an assertion of drill says no sql", hint: "Write `sql:` with the statement to ask.")
      return nil
    }
    guard expectations.count <= 1 else {
      noteOnce(
        written, "equals, at-least and within of an assertion exclude each other",
        hint: "Keep one of them, or write two assertions.")
      return nil
    }
    return DrillAssertion(sql, expectations.first ?? .holds, timeout: text("timeout").flatMap { TimeSpan($0) })
  }
}
