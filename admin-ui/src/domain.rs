//! One domain: what to publish in DNS, how each record stands, and what else can be settled.

use leptos::prelude::*;

use crate::parts::{Field, Light, action, copyable, copyable_block, csrf, field, light, when};
use crate::shell::{Frame, render};

/// What the page shows.
#[derive(Debug, Clone)]
pub struct View {
    /// The domain.
    pub name: String,
    /// Its page.
    pub path: String,
    /// How it stands with all of it.
    pub light: Light,
    /// The same in a sentence.
    pub summary: String,
    /// When it was looked at.
    pub checked: Option<String>,
    /// It is being looked at now.
    pub looking: bool,
    /// What limits the look.
    pub remarks: Vec<String>,
    /// The records to be published.
    pub records: Vec<Record>,
    /// Those that may go.
    pub obsolete: Vec<Record>,
    /// All of them as a piece of a zone file.
    pub zone_file: String,
    /// How the DMARC policy may grow.
    pub growth: Option<Growth>,
    /// The keys.
    pub keys: Vec<Key>,
    /// New keys wait to be seen.
    pub rotates: bool,
    /// Who gets what nobody else does.
    pub catch_all: Option<String>,
    /// The mode of its MTA-STS policy: `enforce`, `testing` or `none`.
    pub sts: &'static str,
}

/// A record.
#[derive(Debug, Clone)]
pub struct Record {
    /// Its place on the page.
    pub anchor: String,
    /// What it is, in a few words.
    pub title: String,
    /// Its type.
    pub kind: String,
    /// Its whole name.
    pub name: String,
    /// The name as forms want it, and the zone that is left out; none where it is the same.
    pub short: Option<(String, String)>,
    /// What it should say; empty where that is not known.
    pub value: String,
    /// The same in the fields that forms have for it, where there are several.
    pub fields: Vec<(&'static str, String)>,
    /// Why, in a sentence.
    pub why: String,
    /// How much it matters, in a word.
    pub need: &'static str,
    /// It is entered where the server is rented, not where the domain is.
    pub elsewhere: bool,
    /// How it stands.
    pub light: Light,
    /// The same in a word.
    pub standing: String,
    /// What more there is to say, a sentence each: what is wrong, then what to do.
    pub remarks: Vec<String>,
    /// What was found in its place.
    pub found: Vec<String>,
}

/// How the DMARC policy may grow.
#[derive(Debug, Clone)]
pub struct Growth {
    /// What the reports mean.
    pub sentence: String,
    /// Figures: passed, failed of this server, failed of others, reports.
    pub figures: [u64; 4],
    /// The next record.
    pub next: Option<String>,
}

/// A key.
#[derive(Debug, Clone)]
pub struct Key {
    /// Its selector.
    pub selector: String,
    /// What it does.
    pub meaning: String,
    /// When it was made.
    pub created: String,
}

/// The page.
pub fn page(frame: &Frame, model: &View) -> String {
    render(frame, || {
        let again = action(frame, format!("{}/check", model.path), "Check again", "second", &[]);
        view! {
            <a class="back" href="/domains">"← Domains"</a>
            <div class="head">
                <h1>{model.name.clone()}</h1>
                <div class="actions">{again}</div>
            </div>
            <div id="standing" data-live="checks">{standing(model)}</div>
            {how_to()}
            <div id="records" data-live="checks">{records(model)}</div>
            {zone_file(model)}
            <h2>"Settings"</h2>
            {keys(frame, model)}
            {catch_all(frame, model)}
            {sts(frame, model)}
            {removal(model)}
        }
        .into_any()
    })
}

fn standing(model: &View) -> AnyView {
    let class = format!("card standing {}", model.light.class());
    let checked = match (&model.checked, model.looking) {
        (_, true) => {
            view! { <p class="small quiet">"DNS is being asked now: load the page again in a moment."</p> }.into_any()
        }
        (Some(at), false) => view! { <p class="small quiet">"Looked at "{when(at)}"."</p> }.into_any(),
        (None, false) => view! { <p class="small quiet">"DNS has not been asked yet."</p> }.into_any(),
    };
    let remarks: Vec<AnyView> = model.remarks.iter().map(|text| view! { <p>{text.clone()}</p> }.into_any()).collect();
    view! {
        <section class=class>
            <p class="verdict">{light(model.light, model.summary.clone())}</p>
            {remarks}
            {checked}
        </section>
    }
    .into_any()
}

fn how_to() -> AnyView {
    view! {
        <details class="card">
            <summary>"Where do I enter this?"</summary>
            <ol>
                <li>"Sign in where you bought the domain, or where its DNS is. Look for \"DNS\", \"zone\" or \"name servers\"."</li>
                <li>"For each record below choose its type there, and copy name and value from here."</li>
                <li>
                    "Most forms want the name without the domain, because they add it themselves: that is the short name shown
                    here. \"@\" stands for the domain itself; some forms want the field left empty instead."
                </li>
                <li>"Texts are entered without quotes. If the form asks for a TTL, take an hour (3600)."</li>
                <li>"Turn off any proxy (\"orange cloud\") for the mail host: mail does not pass it."</li>
            </ol>
            <p>"Changes take minutes, now and then an hour. This page looks again by itself while it is open."</p>
        </details>
    }
    .into_any()
}

fn records(model: &View) -> AnyView {
    let shown: Vec<AnyView> = model.records.iter().map(|one| record(one, model)).collect();
    let old: Vec<AnyView> = model.obsolete.iter().map(|one| record(one, model)).collect();
    let old = (!old.is_empty()).then(|| {
        view! {
            <h2>"To be removed"</h2>
            <div class="records">{old}</div>
        }
    });
    view! {
        <h2>"DNS records"</h2>
        <p class="quiet">"In the order that matters. What is right or optional is folded away."</p>
        <div class="records">{shown}</div>
        {old}
    }
    .into_any()
}

fn record(one: &Record, model: &View) -> AnyView {
    let class = format!("card record {}", one.light.class());
    let growth = model.growth.as_ref().filter(|_| one.anchor == "dmarc").map(growth);
    let open = matches!(one.light, Light::Warn | Light::Bad) || one.remarks.len() > 1;
    let remarks: Vec<AnyView> = one.remarks.iter().map(|text| view! { <p>{text.clone()}</p> }.into_any()).collect();
    let found: Vec<AnyView> =
        one.found.iter().map(|text| view! { <li><code>{text.clone()}</code></li> }.into_any()).collect();
    let found = (!found.is_empty()).then(|| {
        view! { <p class="small quiet">"Found instead:"</p><ul class="found">{found}</ul> }
    });
    view! {
        <details class=class id=one.anchor.clone() open=open>
            <summary>
                <span class="what">{one.title.clone()}</span>
                <span class="kind">{one.kind.clone()}</span>
                <span class="name">{one.name.clone()}</span>
                {light(one.light, one.standing.clone())}
            </summary>
            <div class="judged">{remarks}{found}</div>
            <p>{one.why.clone()}" "<span class="chip">{one.need}</span></p>
            {entered(one)}
            {growth}
        </details>
    }
    .into_any()
}

/// What is to be typed, and where.
fn entered(one: &Record) -> AnyView {
    let what = |part: &str| format!("the {part} of {} ({})", one.title, one.kind);
    let (name, notice) = match &one.short {
        Some((short, zone)) => {
            let rest = if short == "@" {
                format!("\"@\" stands for {zone} itself. If your form refuses it, leave the field empty.")
            } else {
                format!(
                    "This is short for {}: your form adds .{zone} itself. If it does not, enter the whole name.",
                    one.name
                )
            };
            (short.clone(), Some(view! { <p class="small quiet">{rest}</p> }))
        }
        None => (one.name.clone(), None),
    };
    let value = if one.value.is_empty() {
        view! { <p>"The public address of this server: whoever rents it to you tells it."</p> }.into_any()
    } else {
        copyable_block(one.value.clone(), &what("value"))
    };
    let fields: Vec<AnyView> = one
        .fields
        .iter()
        .map(|(label, value)| view! { <li>{*label}": "{copyable(value.clone(), &what(label))}</li> }.into_any())
        .collect();
    let fields = (!fields.is_empty()).then(|| {
        view! {
            <dt>"If the form has several fields"</dt>
            <dd><ul class="fields">{fields}</ul></dd>
        }
    });
    let place = one.elsewhere.then(|| {
        view! { <dt>"Where"</dt><dd>"In the panel of whoever rents you the server, under \"reverse DNS\"."</dd> }
    });
    view! {
        <dl class="facts">
            {place}
            <dt>"Type"</dt><dd>{one.kind.clone()}</dd>
            <dt>"Name"</dt><dd>{copyable(name, &what("name"))}{notice}</dd>
            <dt>"Value"</dt><dd>{value}</dd>
            {fields}
        </dl>
    }
    .into_any()
}

fn growth(model: &Growth) -> AnyView {
    let next = model.next.clone().map(|text| {
        view! { <p>"The next value of this record:"</p>{copyable_block(text, "the next DMARC record")} }.into_any()
    });
    let [passed, own, others, reports] = model.figures;
    let figures = (reports > 0).then(|| {
        let text = format!(
            "In {reports} reports of the last 60 days: {passed} letters passed, {own} of this server failed, {others} from \
             elsewhere failed."
        );
        view! { <p class="small quiet">{text}" "<a href="/reports">"The reports"</a></p> }
    });
    view! {
        <div class="growth">
            <h3>"Growing stricter"</h3>
            <p>{model.sentence.clone()}</p>
            {figures}
            {next}
        </div>
    }
    .into_any()
}

fn zone_file(model: &View) -> AnyView {
    view! {
        <details class="card">
            <summary>"All as a zone file"</summary>
            <p>"For providers that import one, and for those who keep their zone by hand. Remove what is there already."</p>
            {copyable_block(model.zone_file.clone(), "the zone file")}
        </details>
    }
    .into_any()
}

fn keys(frame: &Frame, model: &View) -> AnyView {
    let rows: Vec<AnyView> = model
        .keys
        .iter()
        .map(|key| {
            view! {
                <tr>
                    <th scope="row"><code>{key.selector.clone()}</code></th>
                    <td data-label="What it does">{key.meaning.clone()}</td>
                    <td data-label="Made">{when(&key.created)}</td>
                </tr>
            }
            .into_any()
        })
        .collect();
    let button = if model.rotates {
        action(frame, format!("{}/keys/cancel", model.path), "Give up the next keys", "second", &[])
    } else {
        action(frame, format!("{}/keys/rotate", model.path), "Make the next keys", "second", &[])
    };
    view! {
        <section class="card">
            <h3>"Signing keys (DKIM)"</h3>
            <p>
                "Each letter is signed with these. A key once a year is enough: make the next ones, publish their records, and
                they sign as soon as they are seen in DNS."
            </p>
            <table class="table">
                <thead><tr><th scope="col">"Selector"</th><th scope="col">"What it does"</th><th scope="col">"Made"</th></tr></thead>
                <tbody>{rows}</tbody>
            </table>
            <div class="actions">{button}</div>
        </section>
    }
    .into_any()
}

fn catch_all(frame: &Frame, model: &View) -> AnyView {
    let target = field(Field {
        name: "target",
        label: "Who gets mail for unknown addresses",
        kind: "email",
        value: model.catch_all.clone().unwrap_or_default(),
        hint: "Leave it empty, and such mail is refused, so that its sender knows. A catch-all draws junk.",
        optional: true,
        ..Field::default()
    });
    view! {
        <section class="card">
            <h3>"Unknown addresses"</h3>
            <form method="post" action=format!("{}/catch-all", model.path) class="form">
                {csrf(frame)}
                {target}
                <div class="actions"><button class="second">"Save"</button></div>
            </form>
        </section>
    }
    .into_any()
}

fn sts(frame: &Frame, model: &View) -> AnyView {
    let choice = |mode: &'static str, label: &'static str, text: &'static str| {
        let id = format!("sts-{mode}");
        view! {
            <div class="choice">
                <input type="radio" name="mode" value=mode id=id.clone() checked=model.sts == mode />
                <label for=id><strong>{label}</strong>": "{text}</label>
            </div>
        }
        .into_any()
    };
    view! {
        <section class="card">
            <h3>"Encrypted delivery (MTA-STS)"</h3>
            <form method="post" action=format!("{}/mta-sts", model.path) class="form wide">
                {csrf(frame)}
                <fieldset>
                    <legend>"How others must bring mail"</legend>
                    {choice("testing", "Testing", "they report what is wrong and deliver all the same. Begin with this.")}
                    {choice("enforce", "Enforce", "only encrypted and with a valid certificate, or not at all. For when all above is right.")}
                    {choice("none", "None", "as they like.")}
                </fieldset>
                <p class="small quiet">"The record _mta-sts changes with it, and must be published anew."</p>
                <div class="actions"><button class="second">"Save"</button></div>
            </form>
        </section>
    }
    .into_any()
}

fn removal(model: &View) -> AnyView {
    view! {
        <section class="card">
            <h3>"Remove the domain"</h3>
            <p>"This server then takes no more mail for it. Its accounts and aliases must be gone first."</p>
            <div class="actions">
                <a class="button danger second" href=format!("{}/remove", model.path)>"Remove it"</a>
            </div>
        </section>
    }
    .into_any()
}
