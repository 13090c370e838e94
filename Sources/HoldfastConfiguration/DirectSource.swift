package import HoldfastModel

/// An environment variable whose value cannot be what it stands for.
package struct VariableError: OperatorError, Equatable {
  package let message: String
  package let hint: String?
  package var exitStatus: ExitStatus { .usage }
  package var scope: ErrorScope { .usage }

  /// - Parameters:
  ///   - text: its value.
  ///   - examples: values that it may have: `500K, 20M or 1GiB`.
  package init(_ name: String, is text: String, examples: String) {
    message = "\(name) is \"\(Path(text))\""
    hint = "Set it to something like \(examples), or unset it."
  }
}

extension SourceSettings {
  /// A source that no file describes, as `holdfast backup /srv/orders` has it: its settings are what the command line
  /// and the environment say, and what counts where neither says anything.
  /// - Parameters:
  ///   - name: the name that somebody chose for it; else that of its directory, and then `isNameChosen` is false.
  ///   - repository: the path of its repository.
  ///   - environment: the value of a variable; `nil` where it is not set.
  ///   - isCompression: whether a text says how to compress.
  /// - Throws: `VariableError` where a variable has a value that it cannot have.
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
