"""The Streamlit pages. They read through queries and act through commands."""
