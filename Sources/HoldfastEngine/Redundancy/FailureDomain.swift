/// Something that several targets may have in common, so that one failure takes all of them. An operator names it: two
/// targets share a domain if they have the same name for it.
package enum FailureDomain: String, CaseIterable, Sendable {
  /// The building: fire, flood, theft.
  case site
  /// The company that stores the data: it fails, or ends the contract.
  case provider
  /// The account at the company: it is closed, not paid, or taken over.
  case account
  /// The credential of this host: whoever has broken into this host can remove what it may remove.
  case credential
}

/// Several targets that one failure takes at once.
package struct SharedFailure: Hashable, Sendable {
  package let domain: FailureDomain
  package let name: String
  /// The names of the targets, in the order of the configuration; at least two.
  package let targets: [String]

  package init(domain: FailureDomain, name: String, targets: [String]) {
    (self.domain, self.name, self.targets) = (domain, name, targets)
  }
}
