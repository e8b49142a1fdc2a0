# Sending with Python's smtplib: STARTTLS, login, a letter in UTF-8, a wrong password, a foreign sender.
import smtplib, ssl, sys
from email.message import EmailMessage

port, ca, user, password = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
tls = ssl.create_default_context(cafile=ca)


def connect():
    smtp = smtplib.SMTP("localhost", port, local_hostname="laptop.test", timeout=30)
    smtp.ehlo()
    assert not smtp.has_extn("auth"), "AUTH is offered in clear text"
    smtp.starttls(context=tls)
    return smtp


smtp = connect()
smtp.ehlo()
for name in ["pipelining", "size", "8bitmime", "smtputf8", "enhancedstatuscodes", "chunking", "auth", "dsn"]:
    assert smtp.has_extn(name), (name, smtp.esmtp_features)
try:
    smtp.login(user, password + "x")
    raise AssertionError("a wrong password was accepted")
except smtplib.SMTPAuthenticationError as error:
    assert error.smtp_code == 535, error
smtp.login(user, password)
letter = EmailMessage()
letter["From"] = user
letter["To"] = "carol@home.test"
letter["Subject"] = "Grüße"
letter.set_content("Ein Brief mit Umlauten: äöü\n", cte="8bit")
assert smtp.send_message(letter, mail_options=["SMTPUTF8", "BODY=8BITMIME"]) == {}
try:
    smtp.sendmail("bob@world.test", ["carol@home.test"], b"Subject: no\r\n\r\n")
    raise AssertionError("a foreign sender was accepted")
except smtplib.SMTPSenderRefused as error:
    assert error.smtp_code == 550, error
smtp.quit()
print("all is well")
