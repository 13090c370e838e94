import ArgumentParser
import HoldfastCLI
import HoldfastCodec
import HoldfastConfiguration
import HoldfastEngine
import HoldfastModel
import HoldfastOperations
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// An option of a backup means the same wherever it is said: as a flag, as an environment variable, in the
/// configuration.
@Suite struct BackupOptionTests {
  /// One option, said in every way there is.
  struct Row: CustomTestStringConvertible, Sendable {
    let key: String
    let flags: [String]
    var variable: (name: String, value: String)?
    /// What stands behind the key in a file.
    let yaml: String

    var testDescription: String { key }
  }

  static let rows = [
    Row(key: "exclude", flags: ["--exclude", "*.tmp", "--exclude", "cache/*"], yaml: "['*.tmp', 'cache/*']"),
    Row(
      key: "compression", flags: ["--compression", "zstd:3"], variable: ("HOLDFAST_COMPRESSION", "zstd:3"),
      yaml: "zstd:3"),
    Row(key: "parity", flags: ["--parity", "2%"], variable: ("HOLDFAST_PARITY", "2%"), yaml: "2%"),
    Row(key: "limit-rate", flags: ["--limit-rate", "20M"], variable: ("HOLDFAST_LIMIT_RATE", "20M"), yaml: "20M"),
    Row(key: "paranoid", flags: ["--paranoid"], yaml: "yes"),
    Row(key: "no-group", flags: ["--no-group"], yaml: "yes"),
    Row(key: "postgres", flags: ["--postgres", "host=/run"], yaml: "host=/run"),
    Row(key: "tag", flags: ["--tag", "nightly", "--tag", "shop"], yaml: "[nightly, shop]"),
    Row(key: "before", flags: ["--before", "freeze it"], yaml: "freeze it"),
    Row(key: "after", flags: ["--after", "thaw it"], yaml: "thaw it"),
    Row(key: "on-failure", flags: ["--on-failure", "tell"], yaml: "tell"),
  ]

  /// Everything that a backup does otherwise because of its options.
  private struct Effect: Equatable {
    let options: Backup.Options
    let hooks: Hooks
    let limit: ByteRate?

    init(_ settings: SourceSettings) {
      options = Backup.Options(settings, serverInEnvironment: nil)
      hooks = Hooks(settings)
      limit = settings.limitRate
    }
  }

  private func isCompression(_ text: String) -> Bool { Compression(text) != nil }

  /// `holdfast backup /srv/orders --name orders`, as the command line alone describes it.
  private func named(_ flags: [String] = [], _ environment: [String: String] = [:]) throws -> Effect {
    let command = try #require(
      try BackupCommand.parseAsRoot(["/srv/orders", "--name", "orders"] + flags) as? BackupCommand)
    let name = try #require(SourceName("orders"))
    return Effect(
      try SourceSettings(
        .directory(Path("/srv/orders")), name: name, isNameChosen: true, repository: "/backup/shop",
        flags: command.flags, environment: { environment[$0] }, isCompression: isCompression))
  }

  /// `holdfast backup orders`, with the source in a file.
  private func configured(
    _ yaml: String? = nil, flags: [String] = [], environment: [String: String] = [:]
  ) throws -> Effect {
    let directory = TemporaryDirectory()
    let file = directory.appending("holdfast.yaml")
    TestFiles.write(
      """
      repositories: {shop: {path: /backup/shop}}
      sources:
        orders:
          path: /srv/orders
          \(yaml ?? "")

      """, to: file)
    TestFiles.setMode(file, 0o644)
    var location = ConfigurationLocation()
    location.named = file
    let command = try #require(try BackupCommand.parseAsRoot(["orders"] + flags) as? BackupCommand)
    let loader = ConfigurationLoader(
      location, files: FileSystem(), environment: { environment[$0] }, isCompression: isCompression)
    return Effect(try #require(try loader.load(flags: command.flags)?.source("orders")))
  }

  @Test func nothingSaidIsTheSameEverywhere() throws {
    #expect(try named() == configured())
  }

  @Test(arguments: rows) func anOptionIsTheSameAsFlagVariableAndKey(_ row: Row) throws {
    let file = try configured("\(row.key): \(row.yaml)")
    #expect(try file != configured(), "the option has no effect")
    #expect(try named(row.flags) == file, "as a flag of a backup that no file describes")
    #expect(try configured(flags: row.flags) == file, "as a flag of a configured source")
    if let variable = row.variable {
      let environment = [variable.name: variable.value]
      #expect(try named([], environment) == file, "as a variable for a backup that no file describes")
      #expect(try configured(environment: environment) == file, "as a variable for a configured source")
    }
  }

  /// A new key that has no row fails here: it belongs into `rows` where it is an option of a backup.
  @Test func everyOptionHasItsRow() throws {
    let error = #expect(throws: ConfigurationError.self) { try configured("zzzzzzzzzz: 1") }
    let hint = try #require(error?.mistakes.first?.hint)
    let known = hint.dropFirst("There can be ".count).dropLast().split(separator: ", ").map(String.init)
    let others = [
      "path", "from-command", "file-name", "repository", "wal-ahead", "wal-workers", "schedule", "merge-after", "keep",
      "grace", "verify", "drill", "watch", "objectives", "failover",
    ]
    #expect(Set(known) == Set(Self.rows.map(\.key) + others))
  }

  @Test func aFlagGoesBeforeAVariable() throws {
    let environment = ["HOLDFAST_COMPRESSION": "none", "HOLDFAST_LIMIT_RATE": "1K"]
    let flags = ["--compression", "zstd:3", "--limit-rate", "20M"]
    #expect(try named(flags, environment) == named(flags))
    #expect(try named(flags, ["HOLDFAST_COMPRESSION": ""]) == named(flags), "an empty variable is not set")
  }

  @Test func aWrongVariableIsToldInFrontOfItsExamples() throws {
    #expect(throws: VariableError("HOLDFAST_COMPRESSION", is: "gzip", examples: "deflate")) {
      try named([], ["HOLDFAST_COMPRESSION": "gzip"])
    }
    let rate = #expect(throws: VariableError.self) { try named([], ["HOLDFAST_LIMIT_RATE": "fast"]) }
    #expect(rate?.message == "HOLDFAST_LIMIT_RATE is \"fast\"")
    #expect(rate?.hint == "Set it to something like 500K, 20M or 1GiB, or unset it.")
  }
}
