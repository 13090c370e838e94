package import HoldfastModel

/// An environment variable has a value that is not allowed.
package struct VariableError: OperatorError, Equatable {
  package let message: String
  package let hint: String?
  package var exitStatus: ExitStatus { .usage }
  package var scope: ErrorScope { .usage }

  /// - Parameters:
  ///   - text: the value.
  ///   - examples: possible values, such as `500K, 20M or 1GiB`.
  package init(_ name: String, is text: String, examples: String) {
    message = "\(name) is \"\(Path(text))\""
    hint = "Set it to something like \(examples), or unset it."
  }
}

extension SourceSettings {
  /// Makes the settings of a source that no file describes, for example for `holdfast backup /srv/orders`, from the
  /// command line, the environment and defaults.
  /// - Parameters:
  ///   - name: the chosen name; if none was chosen (`isNameChosen` is false), that of the directory.
  ///   - repository: the path of its repository.
  ///   - environment: returns the value of a variable; `nil` when it is not set.
  ///   - isCompression: returns true if a text names a compression.
  /// - Throws: `VariableError` when a variable has a value that is not allowed.
  package init(
    _ subject: Subject, name: SourceName, isNameChosen: Bool, repository: String, flags: FlagValues,
    environment: @escaping (String) -> String?, isCompression: @escaping @Sendable (String) -> Bool
  ) throws(VariableError) {
    self.init(name: name, subject: subject, repository: repository)
    self.isNameChosen = isNameChosen
    let values = EffectiveValues(flags: flags, environment: environment) { _, _ in nil }
    for option in Schema(isCompression: isCompression).capture {
      let rule = option.rule
      guard let setting = values.setting([Schema.sources, name.text, rule.name], rule) else { continue }
      if case .environment(let variable) = setting.origin, let text = rule.text,
        let wrong = setting.texts.first(where: { !text.accepts($0) })
      {
        throw VariableError(variable, is: wrong, examples: rule.initial ?? text.examples ?? text.noun)
      }
      option.set(&self, setting.texts)
    }
  }
}
