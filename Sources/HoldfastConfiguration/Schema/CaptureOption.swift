internal import HoldfastModel

/// One option of a backup: its key with the rule for values, and the setting that it makes. The flag of the same name
/// (`BackupCommand.flags`) takes the same texts as the key in a file.
struct CaptureOption: Sendable {
  let rule: KeyRule
  /// Puts the value into the settings. Texts from files were checked against the rule before; texts from flags were
  /// not.
  let set: @Sendable (inout SourceSettings, [String]) -> Void

  init(_ rule: KeyRule, _ set: @escaping @Sendable (inout SourceSettings, [String]) -> Void) {
    (self.rule, self.set) = (rule, set)
  }

  /// An option with one value.
  private static func one(
    _ rule: KeyRule, _ set: @escaping @Sendable (inout SourceSettings, String) -> Void
  ) -> CaptureOption {
    CaptureOption(rule) { settings, texts in
      if let text = texts.last { set(&settings, text) }
    }
  }

  /// All options, in the order in which they are shown.
  static func all(_ compression: TextRule) -> [CaptureOption] {
    [
      CaptureOption(KeyRule("exclude", .list(.glob), use: .directories)) { $0.exclusions = $1 },
      one(KeyRule("compression", .text(compression), initial: "deflate", variable: "HOLDFAST_COMPRESSION")) {
        $0.compression = $1
      },
      one(KeyRule("parity", .text(.parity), variable: "HOLDFAST_PARITY")) { $0.parity = ParityShare($1) },
      one(KeyRule("limit-rate", .text(.rate), variable: "HOLDFAST_LIMIT_RATE")) { $0.limitRate = ByteRate($1) },
      one(KeyRule("paranoid", .text(.yesOrNo), initial: "no", use: .directories)) {
        $0.isParanoid = TextRule.truth(of: $1) ?? false
      },
      one(KeyRule("no-group", .text(.yesOrNo), initial: "no", use: .directories)) {
        $0.groupsDatabases = !(TextRule.truth(of: $1) ?? false)
      },
      one(KeyRule("postgres", .text(.connection), isSecret: true, use: .directories)) { $0.postgres = $1 },
      CaptureOption(KeyRule("tag", .list(.tag))) { $0.tags = Set($1.compactMap { Tag($0) }) },
      one(KeyRule("before", .text(.command))) { $0.before = $1 },
      one(KeyRule("after", .text(.command))) { $0.after = $1 },
      one(KeyRule("on-failure", .text(.command))) { $0.onFailure = $1 },
    ]
  }
}
