use crate::support::Project;

#[test]
fn a_file_becomes_a_table_in_three_commands() {
    let project = Project::new();
    project.write(
        "data/企业.csv",
        "统一社会信用代码,名称,注册日期\n9122010112403662XM,甲,2019-03-26\n91220501244585084W,乙,2019/3/27\n",
    );
    let shown = project.run(["infer", "data/企业.csv", "--table", "market.firms"]);
    assert!(shown.ok().contains("code_list = \"uscc\""), "{}", shown.stdout());
    assert!(shown.stderr.contains("nothing was written"), "{}", shown.stderr);
    project.run(["infer", "data/企业.csv", "--table", "market.firms", "--write"]).ok();
    project.run(["check"]).ok();
    project.run(["load", "firms"]).ok();
    let rows = project.run(["sql", "-c", "select name, registered_on from market.firms order by uscc"]).ok();
    assert_eq!(rows, "name,registered_on\n甲,2019-03-26\n乙,2019-03-27\n");
    let again = project.run(["infer", "data/企业.csv", "--table", "market.firms", "--write"]);
    assert!(again.failed(2).contains("cannot create tables/market.firms.toml"), "{}", again.stderr);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let run = Project::new().run(["infer", "data/nothing.csv"]);
    assert!(run.failed(1).contains("nothing.csv` does not exist"), "{}", run.stderr);
}
