import HoldfastTestSupport
import Testing

/// A schema refuses what it does not say: else a new or renamed key would pass unseen.
@Suite struct SchemaTests {
  @Test(arguments: [
    (#"{"schema":1,"id":"a","pinned":true}"#, [String]()),
    (#"{"schema":1,"id":"a","pinned":true,"extra":1}"#, [": extra is not documented"]),
    (#"{"schema":1,"id":"a","isPinned":true}"#, [": pinned is missing", ": isPinned is not documented"]),
    (#"{"schema":1,"id":7,"pinned":null}"#, [#".id: is no ["string"]"#, #".pinned: is no ["boolean"]"#]),
    (#"{"schema":2,"id":"a","pinned":true}"#, [".schema: is not number(1.0)"]),
    (#"[{"schema":1}]"#, [#": is no ["object"]"#]), ("", ["it is not one JSON document"]),
    (#"{"schema":1,"id":"a","pinned":true}{}"#, ["it is not one JSON document"]),
  ])
  func whatIsNotSaidIsRefused(document: String, problems: [String]) {
    #expect(Set(JSONSchemas.project.problems(of: Array(document.utf8), by: "pin")) == Set(problems))
  }

  /// Within objects of shared.json, in arrays, and where one of several forms is allowed.
  @Test func theInnermostKeyIsComparedToo() {
    let error = #"{"code":"failed","exitStatus":1,"hint":null,"message":"m","scope":"usage"}"#
    func problems(_ outcome: String) -> [String] {
      JSONSchemas.project.problems(of: Array(#"{"schema":1,"sources":[\#(outcome)]}"#.utf8), by: "backup")
    }
    #expect(problems(#"{"source":"orders","exitStatus":1,"error":\#(error)}"#) == [])
    #expect(
      problems(#"{"source":"orders","exitStatus":1,"error":\#(error.replacing("message", with: "text"))}"#).sorted()
        == [
          ".sources[0].error: message is missing", ".sources[0].error: text is not documented",
        ])
    #expect(
      problems(#"{"source":"orders","exitStatus":1,"error":\#(error.replacing("usage", with: "nobody"))}"#).first?
        .hasPrefix(".sources[0].error.scope: is none of") == true)
  }

  @Test func aCommandWithoutAFileIsAProblem() {
    #expect(
      JSONSchemas.project.problems(of: Array("{}".utf8), by: "nothing") == [
        "there is no docs/schemas/nothing.json that can be read"
      ])
  }
}
